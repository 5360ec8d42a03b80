"""TorchServe's explanations: `POST /explanations/<model>`, a row as the body, its attributions as the answer.

Spec: TorchServe, "Inference API"; its base handler's `explain_handle`. curl's `-T file` sends PUT. What TorchServe has no place
for (the method, its parameters) is read from the query.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
from apiflask import APIBlueprint
from flask import Response, request

from explainery.contract.errors import InvalidInput, MalformedBody
from service.answering_now import Answer, answer_now
from service.answers import accepted, json_answer
from service.asked import request_of
from service.attributed import rows_of
from service.body import check_site, parsed, read_any
from service.encoded import SIGNATURES, with_media_type
from service.faults import fault
from service.openapi.answers import answers
from service.parts import parts
from service.shelf import PREDICT

blueprint = APIBlueprint("torchserve", __name__, url_prefix="/explanations", tag="TorchServe")


@blueprint.route("/<name>", methods=["POST", "PUT"])
@blueprint.route("/<name>/<version>", methods=["POST", "PUT"])
@blueprint.doc(operation_id="explain_torchserve", responses=answers("TorchServeAttributions", {200: "The attributions."}))
def explain(name: str, version: str | None = None) -> Response:
    """Explain a row and wait for it, as TorchServe does: JSON, text or an image file in, attributions out."""
    accepted("application/json")
    parts().shelf().usable(reference := name if version is None else f"{name}@{version}")
    parameters = {key: _value(value) for key, value in request.args.items()}
    rows, more, one = _rows()
    if parameters.get("method") == PREDICT:
        raise fault(InvalidInput, "method", "is no explanation; use POST /v1/models/<model>:predict")
    now = answer_now(request_of(reference, parameters | more, instances=rows))
    if isinstance(now, Response):
        return now
    found = [_told(now.answers[0], number, row) for number, row in enumerate(rows_of(now.answers[0], rows))]
    return json_answer(found[0] if one else found, headers=now.headers)


def _told(answer: Answer, number: int, row: dict[str, Any]) -> Any:
    """One row's attributions: of a text words and importances, of one input the list alone, else by input (or feature) name."""
    explanation = answer.result.explanations[number]
    (first, *others) = explanation.attributions
    if others or first.input not in row:
        return row
    if first.offsets is None:
        return row[first.input]
    difference = explanation.instance_output - explanation.baseline_output
    importances = row[first.input]
    delta = float(importances.sum(dtype="float64")) - difference
    return {"words": list(first.features or ()), "importances": importances, "delta": delta}


def _rows() -> tuple[list[Any], dict[str, Any], bool]:
    """The rows, what is said beside them, and whether it is a row alone that came."""
    if request.mimetype == "multipart/form-data":
        check_site(request)
        return _form()
    body = read_any(request)
    if not body:
        raise MalformedBody("The body is empty; send a row: JSON, a text, or an image file.")
    document = _document(body)
    if isinstance(document, dict) and isinstance(document.get("instances"), list):
        return [with_media_type(row) for row in document["instances"]], _beside(document, "instances"), False
    for key in ("data", "body"):
        if isinstance(document, dict) and key in document and set(document) <= {key, "target"}:
            return [with_media_type(document[key])], _beside(document, key), True
    return [with_media_type(document)], {}, True


def _form() -> tuple[list[Any], dict[str, Any], bool]:
    """Fields of a form: `data`, as a file or a value, and perhaps `target`."""
    files = list(request.files.values())
    fields = request.form.to_dict()
    if len(files) + ("data" in fields) != 1:
        raise fault(InvalidInput, "data", "must be given once: the row, as a file or a field")
    content = files[0].read() if files else fields["data"].encode()
    beside = {"target": _value(fields["target"])} if "target" in fields else {}
    return [with_media_type(_document(content))], beside, True


def _beside(document: dict[str, Any], *taken: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in taken}


def _document(content: bytes) -> Any:
    """An image file, JSON, or else a text."""
    if any(content.startswith(signature) for signature in SIGNATURES.values()):
        return {"b64": b64encode(content).decode()}
    try:
        return parsed(content)
    except MalformedBody:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedBody("The body is neither JSON, nor a text in UTF-8, nor a PNG or JPEG file.") from None


def _value(text: str) -> Any:
    """A value of the query: JSON where it is that, else the text itself."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
