"""The answer to a request of the Open Inference Protocol (v2): an explanation as named tensors, in JSON or as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response

from explainery.contract.binary_tensors import HEADER, MEDIA_TYPE, SIZE, bytes_of
from explainery.contract.errors import NotAcceptable, RequestRefused
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from service.answering_now import Answer
from service.faults import fault
from service.infer_request import OF_THE_ANSWER, InferRequest
from service.shelf import PREDICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

NAMES = {name: datatype for datatype, name in NUMPY_NAMES.items()}
"""NumPy dtype name -> datatype of the protocol."""


def tensors_of(answer: Answer, card: ModelCard) -> Tensors:
    """What is answered, by name, rows first: of an explanation its attributions and figures, else the model's output."""
    if answer.result.method == PREDICT:
        output = card.score_output
        return {output.name: answer.arrays["maps.output"].astype(NUMPY_NAMES[output.datatype])}
    import numpy as np

    rows = answer.result.explanations
    found: Tensors = {}
    inputs = [each.input for each in rows[0].attributions]
    for name in inputs:
        found["attributions" if len(inputs) == 1 else f"attributions.{name}"] = answer.arrays[f"attributions.{name}"]
    for name in inputs:
        if (errors := answer.arrays.get(f"standard_error.{name}")) is not None:
            found["standard_error" if len(inputs) == 1 else f"standard_error.{name}"] = errors
    for name in ("instance_output", "baseline_output"):
        found[name] = answer.arrays[name].astype(np.float64)
    gaps = [row.quality.completeness_gap for row in rows]
    if None not in gaps:
        found["completeness_gap"] = np.array(gaps, dtype=np.float64)
    found["target"] = np.array([-1 if row.target.index is None else row.target.index for row in rows], dtype=np.int64)
    return found


def infer_answer(asked: InferRequest, answer: Answer, tensors: Tensors, name: str, headers: Mapping[str, str]) -> Response:
    """The response. Raises RequestRefused for an output that there is not, NotAcceptable for FP16 in JSON."""
    wanted = _wanted(asked, tensors)
    tails: list[bytes] = []
    outputs: list[dict[str, Any]] = []
    for output, binary in wanted.items():
        array = tensors[output]
        described: dict[str, Any] = {"name": output, "datatype": NAMES[array.dtype.name], "shape": list(array.shape)}
        if binary:
            tails.append(bytes_of(array))
            outputs.append(described | {"parameters": {SIZE: len(tails[-1])}})
        elif array.dtype.name == "float16":
            raise NotAcceptable(f"Output {output} is FP16, which has no form in JSON; ask with binary_data.")
        else:
            outputs.append(described | {"data": array.reshape(-1)})
    document = {
        "model_name": name,
        "model_version": answer.result.model.version,
        "id": asked.id or answer.job.id,
        "parameters": {"explanation_id": answer.job.id, "method": answer.result.method} | _verdict(answer),
        "outputs": outputs,
    }
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not any(wanted.values()):
        return Response(head, headers=headers, content_type="application/json")
    more = {HEADER: str(len(head))}
    return Response(b"".join([head, *tails]), headers={**headers, **more}, content_type=MEDIA_TYPE)


def _verdict(answer: Answer) -> dict[str, Any]:
    """The worst of the rows' verdicts."""
    verdicts = {row.quality.verdict for row in answer.result.explanations}
    worst = next((verdict for verdict in ("fail", "warn", "pass") if verdict in verdicts), None)
    return {"verdict": worst} if worst else {}


def _wanted(asked: InferRequest, tensors: Tensors) -> dict[str, bool]:
    """Outputs that are wanted, and whether as bytes: the ones asked for, else all."""
    default = _flag(asked.parameters or {}, OF_THE_ANSWER, "parameters", default=False)
    if not asked.outputs:
        return dict.fromkeys(tensors, default)
    wanted = {}
    for number, output in enumerate(asked.outputs):
        loc = f"outputs.{number}"
        if output.name not in tensors:
            raise fault(RequestRefused, f"{loc}.name", f"is not among the outputs; there are: {', '.join(tensors)}")
        parameters = output.parameters or {}
        if set(parameters) - {"binary_data"}:
            raise fault(RequestRefused, f"{loc}.parameters", "holds more than binary_data, and nothing else is offered")
        wanted[output.name] = _flag(parameters, "binary_data", f"{loc}.parameters", default=default)
    return wanted


def _flag(parameters: Mapping[str, Any], name: str, loc: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise fault(RequestRefused, f"{loc}.{name}", "must be true or false")
    return value
