"""Contract objects -> the JSON objects of the wire."""

from __future__ import annotations

from typing import Any

from explainery.contract.auto import AUTO
from explainery.contract.catalogue import MethodSpec, ModelEntry
from explainery.contract.job import Job
from service.shelf import Shelf

JOBS = "/v1/explanations"


def job_document(job: Job, root: str = "") -> dict[str, Any]:
    """A job as the wire writes it. `root`: the path under which the API is mounted."""
    here = f"{root}{JOBS}/{job.id}"
    links = {"self": here, "result": f"{here}/result", "cancel": f"{here}/cancel", "events": None}
    return {**job.model_dump(), "links": links}


def model_document(name: str, entries: list[ModelEntry]) -> dict[str, Any]:
    """A model with its versions, the newest first."""
    return {"name": name, "versions": [_version_document(entry) for entry in entries]}


def _version_document(entry: ModelEntry) -> dict[str, Any]:
    document = entry.model_dump(exclude={"name"})
    return {**document, "version": str(entry.version)}


def method_documents(shelf: Shelf) -> list[dict[str, Any]]:
    """Every method, "auto" first."""
    return [method_document(spec) for spec in (AUTO, *shelf.methods.values())]


def method_document(spec: MethodSpec) -> dict[str, Any]:
    """A method with its parameters: type, unit, default, range, help."""
    return spec.model_dump()
