"""The Open Inference Protocol, version 2, over HTTP: what KServe, Triton and MLServer speak.

Spec: kserve/open-inference-protocol, inference_rest.md; triton-inference-server/server, extension_binary_data.md. A model is
served under two names: `<model>` gives its answers, or, with `parameters.method`, an explanation; `<model>.explain` explains.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from apiflask import APIBlueprint
from flask import Response, request

import explainery
from explainery.contract.binary_tensors import HEADER, MEDIA_TYPE
from explainery.contract.catalogue import ModelEntry
from explainery.contract.errors import ExplaineryError, NoWorker
from explainery.contract.model_card import InputSpec
from service.answering_now import answer_now
from service.answers import accepted, json_answer
from service.body import read_any
from service.infer_answer import infer_answer, tensors_of
from service.infer_request import asked_of, read_infer
from service.openapi.answers import answers, infer_answers
from service.parts import parts
from service.problems import problem, status_of
from service.readiness import is_ready
from service.shelf import PREDICT

blueprint = APIBlueprint("open_inference", __name__, url_prefix="/v2", tag="Open Inference Protocol V2")

EXPLAIN = ".explain"
EXTENSIONS = ["binary_tensor_data"]


class Named(NamedTuple):
    """A model by one of its two names."""

    entry: ModelEntry
    name: str
    explains: bool

    @property
    def reference(self) -> str:
        """The very version."""
        return f"{self.entry.name}@{self.entry.version}"


@blueprint.get("")
@blueprint.doc(operation_id="get_server_v2", responses=answers("V2Server", {200: "The server."}))
def server() -> Response:
    """Say who serves, and which extensions of the protocol."""
    accepted("application/json")
    return json_answer({"name": "explainery", "version": explainery.__version__, "extensions": EXTENSIONS})


@blueprint.get("/health/live")
@blueprint.doc(operation_id="get_live_v2", responses=answers("V2Health", {200: "This process lives."}))
def live() -> Response:
    """Say that this process lives, and whether jobs can be worked on."""
    return json_answer({"live": True, "ready": _missing() is None})


@blueprint.get("/health/ready")
@blueprint.doc(operation_id="get_ready_v2", responses=answers("V2Health", {200: "Jobs can be worked on."}))
def ready() -> Response:
    """Say whether jobs can be worked on; otherwise 503 says what is missing."""
    missing = _missing()
    if missing is None:
        return json_answer({"live": True, "ready": True})
    told = {"live": True, "ready": False}
    return problem(status_of(missing), missing.code, missing.detail, retryable=missing.retryable, **told)


@blueprint.get("/models/<name>")
@blueprint.get("/models/<name>/versions/<version>")
@blueprint.doc(operation_id="get_model_v2", responses=answers("V2Model", {200: "The model."}))
def metadata(name: str, version: str | None = None) -> Response:
    """Describe a model: its versions, the tensors it takes and those it answers."""
    accepted("application/json")
    named = _named(name, version)
    versions = [str(entry.version) for entry in parts().shelf().versions(named.entry.name)]
    return json_answer(
        {
            "name": name,
            "versions": versions,
            "platform": f"explainery_{named.entry.runtime}",
            "inputs": [_input(spec) for spec in named.entry.card.sent],
            "outputs": _outputs(named),
        }
    )


@blueprint.get("/models/<name>/ready")
@blueprint.get("/models/<name>/versions/<version>/ready")
@blueprint.doc(operation_id="get_model_ready_v2", responses=answers("V2Ready", {200: "The model is ready."}))
def model_ready(name: str, version: str | None = None) -> Response:
    """Say whether a model is ready; 503 when it is not."""
    accepted("application/json")
    entry = _named(name, version).entry
    if is_ready(entry):
        return json_answer({"name": name, "ready": True})
    why = entry.fault or "no worker is alive"
    return problem(503, "model_not_ready", f"Model {entry.name}@{entry.version} is not ready: {why}", name=name, ready=False)


@blueprint.post("/models/<name>/infer")
@blueprint.post("/models/<name>/versions/<version>/infer")
@blueprint.doc(operation_id="infer_v2", responses=infer_answers("application/json", MEDIA_TYPE))
def infer(name: str, version: str | None = None) -> Response:
    """Explain rows, or give the model's answers to them, and wait for it. 504 names the job where it takes too long."""
    accepted("application/json", MEDIA_TYPE)
    asked, pieces = read_infer(read_any(request), request.headers.get(HEADER))
    named = _named(name, version)
    card = parts().shelf().usable(named.reference).card
    plain = {} if named.explains or "method" in (asked.parameters or {}) else {"method": PREDICT}
    now = answer_now(asked_of(asked, pieces, named.reference, card, parts().settings.max_rows, **plain))
    if isinstance(now, Response):
        return now
    (answer,) = now.answers
    return infer_answer(asked, answer, tensors_of(answer, card), name, now.headers)


def _named(name: str, version: str | None) -> Named:
    """The model of a path. Raises UnknownModel, UnknownModelVersion."""
    shelf = parts().shelf()
    explains = name.endswith(EXPLAIN) and name not in shelf.models
    model = name.removesuffix(EXPLAIN) if explains else name
    reference = model if version is None else f"{model.partition('@')[0]}@{version}"
    return Named(shelf.versions(reference)[0], name, explains)


def _missing() -> ExplaineryError | None:
    try:
        alive = parts().catalogue.workers()
    except ExplaineryError as error:
        return error
    return None if alive else NoWorker("No worker is alive; start one with: explainery worker")


def _input(spec: InputSpec) -> dict[str, Any]:
    if spec.modality == "text":
        return {"name": spec.name, "datatype": "BYTES", "shape": [-1]}
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _outputs(named: Named) -> list[dict[str, Any]]:
    """What an explanation has whatever the method, or the model's output."""
    card = named.entry.card
    if not named.explains:
        output = card.score_output
        return [{"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}]
    one = len(card.sent) == 1
    found: list[dict[str, Any]] = []
    for spec in card.sent:
        datatype = "FP64" if spec.datatype == "FP64" else "FP32"
        name = "attributions" if one else f"attributions.{spec.name}"
        shape = [-1, -1] if spec.groups or spec.modality == "text" else list(spec.shape)  # a number for each player
        found.append({"name": name, "datatype": datatype, "shape": shape})
    figures = {"instance_output": "FP64", "baseline_output": "FP64", "completeness_gap": "FP64", "target": "INT64"}
    return found + [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in figures.items()]
