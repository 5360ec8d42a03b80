"""Contract objects -> the JSON objects of the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explainery.contract.auto import AUTO
from explainery.contract.catalogue import Availability, MethodSpec, ModelEntry
from explainery.contract.events import links
from explainery.contract.job import Job, JobState
from explainery.contract.layers import LayerSpec
from service.shelf import Shelf

_NOT = Availability(available=False)


def job_document(job: Job, root: str = "") -> dict[str, Any]:
    """A job as the wire writes it. `root`: the path under which the API is mounted."""
    found = links(job.id, root)
    partial = f"{found['self']}/partial" if job.status is JobState.RUNNING else None
    return {**job.model_dump(), "links": {**found, "partial": partial}}


def model_document(name: str, entries: list[ModelEntry]) -> dict[str, Any]:
    """A model with its versions, the newest first."""
    return {"name": name, "versions": [_version_document(entry) for entry in entries]}


def _version_document(entry: ModelEntry) -> dict[str, Any]:
    document = entry.model_dump(exclude={"name"})
    return {**document, "version": str(entry.version)}


def layers_document(entry: ModelEntry, layers: Sequence[LayerSpec], methods: Mapping[str, MethodSpec]) -> dict[str, Any]:
    """A model's layers with their share of all parameters, and which methods work on each."""
    works = [spec for name, spec in methods.items() if spec.layer is not None and entry.methods.get(name, _NOT).available]
    outermost = [layer for layer in layers if "." not in layer.path.partition("#")[0]]
    total = sum({layer.path.partition("#")[0]: layer.parameters for layer in outermost}.values())
    described = [
        {
            **layer.model_dump(mode="json"),
            "share": layer.parameters / total if total else 0.0,
            "methods": [spec.name for spec in works if spec.layer is not None and layer.is_a(spec.layer)],
        }
        for layer in layers
    ]
    return {"name": entry.name, "version": str(entry.version), "digest": entry.digest, "layers": described}


def method_documents(shelf: Shelf) -> list[dict[str, Any]]:
    """Every method, "auto" first."""
    return [method_document(spec) for spec in (AUTO, *shelf.methods.values())]


def method_document(spec: MethodSpec) -> dict[str, Any]:
    """A method with its parameters: type, unit, default, range, help."""
    return spec.model_dump()
