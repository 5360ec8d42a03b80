"""KServe's protocol V1, which TensorFlow Serving and Vertex AI speak, too: `:explain` and `:predict`.

Spec: KServe, "Data Plane (V1)"; Vertex AI, REST reference, `endpoints.explain`. Synchronous unless the client prefers
otherwise.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from explainery.contract.errors import InvalidInput
from explainery.contract.job import JobRequest
from explainery.contract.result import Explanation
from service.answering_now import Answer, answer_now, offers_predictions, predict_of
from service.answers import accepted, json_answer
from service.asked import request_of
from service.attributed import rows_of
from service.body import parsed, read_any
from service.encoded import with_media_type
from service.faults import fault
from service.openapi.answers import answers
from service.parts import parts
from service.shelf import PREDICT
from service.validation import validated
from service.vertex import HERE, read_override

blueprint = APIBlueprint("kserve_v1", __name__, tag="KServe V1 and Vertex")


class V1Request(BaseModel):
    """A body: rows as `instances` or `inputs`, and what is asked of them."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    instances: list[Any] | None = None
    inputs: list[Any] | dict[str, list[Any]] | None = None
    parameters: dict[str, Any] = {}
    explanation_spec_override: dict[str, Any] | None = Field(
        default=None, validation_alias=AliasChoices(HERE, "explanationSpecOverride")
    )
    deployed_model_id: str | None = Field(default=None, validation_alias=AliasChoices("deployed_model_id", "deployedModelId"))
    signature_name: str | None = None


@blueprint.get("/")
@blueprint.doc(operation_id="get_liveness_v1", responses=answers("Health", {200: "This process lives."}))
def live() -> Response:
    """Say that this process lives, in the words of KServe's protocol V1."""
    return json_answer({"status": "alive"})


@blueprint.post("/v1/models/<string:name>:explain")
@blueprint.doc(operation_id="explain_v1", responses=answers("V1Explanations", {200: "The explanations.", 202: "Accepted."}))
def explain(name: str) -> Response:
    """Explain rows and wait for it, as KServe (V1) and Vertex AI do. 504 with the job's address where it takes too long."""
    accepted("application/json")
    body, entry = _body(), parts().shelf().usable(name)
    override = read_override(body.explanation_spec_override, entry.card, entry.players)
    given = _rows(body)
    asked = request_of(name, override | body.parameters, **given)
    if asked.method == PREDICT:
        raise fault(InvalidInput, "parameters.method", "is no explanation; use :predict")
    now = answer_now(asked, *([predict_of(asked)] if offers_predictions() else []))
    if isinstance(now, Response):
        return now
    explained, *predicted = now.answers
    document = {
        "predictions": predictions_of(predicted[0]) if predicted else [],
        "explanations": _explanations(explained, given.get("instances")),
        "deployedModelId": _model_id(explained),
    }
    return json_answer(document, headers=now.headers)


@blueprint.post("/v1/models/<string:name>:predict")
@blueprint.doc(operation_id="predict_v1", responses=answers("V1Predictions", {200: "The predictions.", 202: "Accepted."}))
def predict(name: str) -> Response:
    """Give the model's answers to rows, as KServe (V1) and Vertex AI do."""
    accepted("application/json")
    body = _body()
    now = answer_now(predict_of(_without_method(name, _rows(body))))
    if isinstance(now, Response):
        return now
    (answer,) = now.answers
    return json_answer({"predictions": predictions_of(answer), "deployedModelId": _model_id(answer)}, headers=now.headers)


def predictions_of(answer: Answer) -> Any:
    """The model's answers, [rows, *row of the output]."""
    return answer.arrays["maps.output"]


def _without_method(name: str, rows: dict[str, Any]) -> JobRequest:
    return request_of(name, {"method": PREDICT}, **rows)


def _body() -> V1Request:
    return validated(V1Request, parsed(read_any(request)))


def _rows(body: V1Request) -> dict[str, Any]:
    """`instances`, or `inputs` where these are tensors. Raises InvalidInput."""
    if (body.instances is None) == (body.inputs is None):
        raise fault(InvalidInput, "instances", "or inputs must be given, and not both")
    rows = body.instances if body.inputs is None else body.inputs
    if isinstance(rows, dict):
        rows = _from_columns(rows)
    if rows and all(isinstance(row, dict) and {"name", "datatype", "shape", "data"} <= set(row) for row in rows):
        return {"inputs": rows}
    return {"instances": [with_media_type(row) for row in rows or []]}


def _from_columns(columns: dict[str, list[Any]]) -> list[Any]:
    """Rows out of a list for each input, which is how TensorFlow Serving writes `inputs`."""
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1:
        raise fault(InvalidInput, "inputs", "must have the same number of rows for each input")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _model_id(answer: Answer) -> str:
    return f"{answer.result.model.name}@{answer.result.model.version}"


def _explanations(answer: Answer, given: list[Any] | None) -> list[dict[str, Any]]:
    rows = zip(answer.result.explanations, rows_of(answer, given), strict=True)
    return [_explanation(explanation, attributions) for explanation, attributions in rows]


def _explanation(explanation: Explanation, attributions: dict[str, Any]) -> dict[str, Any]:
    quality, target = explanation.quality, explanation.target
    error = quality.completeness_gap if quality.approximation_error is None else quality.approximation_error
    names = {each.input: list(each.features) for each in explanation.attributions if each.features}
    attribution = {
        "baselineOutputValue": explanation.baseline_output,
        "instanceOutputValue": explanation.instance_output,
        "featureAttributions": attributions,
        "outputIndex": [] if target.index is None else [target.index],
        "outputDisplayName": target.label,
        "approximationError": error,
        "outputName": target.output,
        "featureNames": names,
    }
    reasons = {} if explanation.reasons is None else {"reasons": [each.model_dump(mode="json") for each in explanation.reasons]}
    return {"attributions": [attribution], "quality": quality.model_dump(mode="json"), **reasons}
