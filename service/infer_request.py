"""A body of the Open Inference Protocol (v2), with or without binary tensors -> a request of ours."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from explainery.contract.binary_tensors import SIZE, Misfit, array_of, parted, pieces, strings_of
from explainery.contract.errors import InvalidInput, MalformedBody, RequestRefused
from explainery.contract.job import JobRequest
from explainery.contract.model_card import InputSpec, ModelCard
from explainery.contract.tensors import NUMPY_NAMES, tensor_from_json
from service.asked import request_of
from service.body import parsed
from service.encoded import with_media_type
from service.faults import fault
from service.rows import check_count
from service.validation import validated

MOST_AXES = 32
MOST_SIZE = 2**31
"""Of one axis: more than any body holds, and what an array's shape can be made of."""
OF_THE_ANSWER = "binary_data_output"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class TensorAsked(_Strict):
    """A tensor: its numbers in `data`, flat or nested, or, with `binary_data_size`, after the object."""

    name: str
    datatype: str
    shape: list[int]
    data: Any = None
    parameters: dict[str, Any] | None = None


class OutputAsked(_Strict):
    """An output that is wanted, perhaps as bytes."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(_Strict):
    """The JSON object of a request."""

    id: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[TensorAsked]
    outputs: list[OutputAsked] | None = None


def read_infer(body: bytes, length: str | None) -> tuple[InferRequest, list[bytes | None]]:
    """The object, and the bytes of each of its inputs. `length`: the header that says how long the object is.

    Raises MalformedBody, RequestRefused.
    """
    try:
        head, tail = parted(body, length)
        asked = validated(InferRequest, parsed(head))
        return asked, pieces([tensor.model_dump(include={"parameters"}) for tensor in asked.inputs], tail)
    except Misfit as misfit:
        raise MalformedBody(f"The body {misfit}.") from None


def asked_of(
    asked: InferRequest, parts: list[bytes | None], model: str, card: ModelCard, max_rows: int, **more: Any
) -> JobRequest:
    """The request of ours. `more`: fields that the path has settled. Raises RequestRefused, PayloadTooLarge."""
    parameters = {name: _unwrapped(value) for name, value in (asked.parameters or {}).items() if name != OF_THE_ANSWER}
    if len({tensor.name for tensor in asked.inputs}) < len(asked.inputs):
        raise fault(InvalidInput, "inputs", "must hold each input once")
    known = {spec.name: spec for spec in card.inputs}
    for number, tensor in enumerate(asked.inputs):
        if tensor.datatype == "BYTES" and tensor.shape:  # before millions of strings are cut apart
            check_count(tensor.shape[0], max_rows, f"inputs.{number}.shape")
    tensors = [
        _read(tensor, part, known.get(tensor.name), f"inputs.{number}")
        for number, (tensor, part) in enumerate(zip(asked.inputs, parts, strict=True))
    ]
    if not any(isinstance(values, list) for values in tensors):
        plain = [
            {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape, "data": values}
            for tensor, values in zip(asked.inputs, tensors, strict=True)
        ]
        return request_of(model, parameters | more, inputs=plain)
    columns = {tensor.name: list(values) for tensor, values in zip(asked.inputs, tensors, strict=True)}
    return request_of(model, parameters | more, instances=_rows(columns))


def _unwrapped(value: Any) -> Any:
    """A parameter; the protocol has only numbers, strings and truths, so objects and lists come as JSON in a string."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _read(tensor: TensorAsked, part: bytes | None, spec: InputSpec | None, loc: str) -> Any:
    """Numbers as an array; of BYTES a list of rows."""
    if (part is None) == (tensor.data is None):
        raise fault(InvalidInput, loc, f"must have either data, or {SIZE} among its parameters")
    if unknown := set(tensor.parameters or {}) - {SIZE, "content_type"}:
        raise fault(RequestRefused, f"{loc}.parameters", f"has {len(unknown)} names that are not offered; there is: {SIZE}")
    if not 1 <= len(tensor.shape) <= MOST_AXES or not all(1 <= size < MOST_SIZE for size in tensor.shape):
        raise fault(InvalidInput, f"{loc}.shape", "must hold sizes >= 1, the number of rows first")
    if tensor.datatype == "BYTES":
        return _strings(tensor, part, spec, loc)
    if tensor.datatype not in NUMPY_NAMES:
        raise fault(InvalidInput, f"{loc}.datatype", f"is not one of {', '.join(NUMPY_NAMES)}, BYTES")
    if part is None:
        if tensor.datatype == "FP16":
            raise fault(InvalidInput, f"{loc}.datatype", f"has no form in JSON: send FP16 as bytes, with {SIZE}")
        return tensor_from_json(tensor.datatype, tensor.shape, tensor.data, loc)
    try:
        return array_of(part, tensor.datatype, tensor.shape)
    except Misfit as misfit:
        raise fault(InvalidInput, loc, str(misfit)) from None


def _strings(tensor: TensorAsked, part: bytes | None, spec: InputSpec | None, loc: str) -> list[Any]:
    """Texts, or image files: as bytes, or in JSON texts as they are and files in base64."""
    if spec is None or spec.modality not in ("text", "image"):
        raise fault(InvalidInput, f"{loc}.datatype", "is BYTES, which only texts and images can be sent as")
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
        raise fault(InvalidInput, f"{loc}.shape", "must be [rows] or [rows, 1] for BYTES")
    count = math.prod(tensor.shape)
    if part is None:
        values = _flat(tensor.data)
        if len(values) != count or not all(isinstance(value, str) for value in values):
            raise fault(InvalidInput, f"{loc}.data", f"must hold {count} strings")
        return values if spec.modality == "text" else [with_media_type({"b64": value}) for value in values]
    try:
        rows = strings_of(part, count)
        if spec.modality == "image":
            return [with_media_type({"b64": b64encode(row).decode()}) for row in rows]
        return [row.decode("utf-8") for row in rows]
    except Misfit as misfit:
        raise fault(InvalidInput, loc, str(misfit)) from None
    except UnicodeDecodeError:
        raise fault(InvalidInput, loc, "must hold texts in UTF-8") from None


def _flat(data: Any) -> list[Any]:
    rows = data if isinstance(data, list) else []
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _rows(columns: Mapping[str, list[Any]]) -> list[Any]:
    """Rows by input name, out of columns of which one at least is no numbers."""
    if len({len(column) for column in columns.values()}) > 1:
        raise fault(InvalidInput, "inputs", "must all have the same number of rows, the first number of their shapes")
    lists = {name: [_plain(value) for value in column] for name, column in columns.items()}
    if len(lists) == 1:
        return next(iter(lists.values()))
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
