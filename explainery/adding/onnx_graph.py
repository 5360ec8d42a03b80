"""What an ONNX file says of its inputs and outputs (field numbers of onnx.proto, IR version 3 and later)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from explainery.adding.protobuf import fields
from explainery.contract.errors import ModelRefused

DATATYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 5: "INT16", 6: "INT32", 7: "INT64", 9: "BOOL", 10: "FP16", 11: "FP64",
}  # fmt: skip
"""TensorProto.DataType -> names of the Open Inference Protocol."""
MODEL_GRAPH, INITIALIZER, INPUT, OUTPUT = 7, 5, 11, 12
TENSOR_NAME, LOCATION, EXTERNAL = 8, 14, 1


@dataclass(frozen=True)
class Value:
    """A named tensor of the graph. `datatype`: None where cards have no name for it; `shape`: None where the file has none."""

    name: str
    datatype: str | None
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Values:
    """Inputs that a caller gives, and outputs that are tensors."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


def read(content: bytes) -> Values:
    """The graph's inputs and outputs. Raises ModelRefused when this is no ONNX file, or not a self-contained one."""
    try:
        graph = next(part for number, part in fields(memoryview(content)) if number == MODEL_GRAPH)
        return _values(graph)
    except (ValueError, StopIteration, UnicodeDecodeError):
        raise ModelRefused("The file is no readable ONNX model; export it again.") from None


def _values(graph: int | memoryview) -> Values:
    constants, inputs, outputs = set(), [], []
    for number, part in fields(_message(graph)):
        if number == INITIALIZER:
            constants.add(_constant(_message(part)))
        elif number == INPUT:
            inputs.append(_value(_message(part)))
        elif number == OUTPUT:
            outputs.append(_value(_message(part)))
    given = tuple(value for value in inputs if value is not None and value.name not in constants)
    return Values(given, tuple(value for value in outputs if value is not None))


def _constant(tensor: memoryview) -> str:
    name = ""
    for number, part in fields(tensor):
        if number == TENSOR_NAME:
            name = bytes(_message(part)).decode()
        if number == LOCATION and part == EXTERNAL:
            raise ModelRefused(
                "The ONNX file keeps weights in other files (external data). Save it as one self-contained file."
            )
    return name


def _value(info: memoryview) -> Value | None:
    """A ValueInfoProto; None for what is no tensor (the maps of scikit-learn's ZipMap)."""
    name, tensor = "", None
    for number, part in fields(info):
        if number == 1:
            name = bytes(_message(part)).decode()
        if number == 2:
            tensor = next((_message(inner) for kind, inner in fields(_message(part)) if kind == 1), None)
    if tensor is None:
        return None
    datatype, shape = None, None
    for number, part in fields(tensor):
        if number == 1 and isinstance(part, int):
            datatype = DATATYPES.get(part)
        if number == 2:
            shape = tuple(_sizes(_message(part)))
    return Value(name, datatype, shape)


def _sizes(shape: memoryview) -> Iterator[int]:
    """Each axis; -1 where its length is a name or open."""
    for number, axis in fields(shape):
        if number == 1:
            size = next((part for kind, part in fields(_message(axis)) if kind == 1), -1)
            yield size if isinstance(size, int) and 0 < size < 1 << 62 else -1


def _message(part: int | memoryview) -> memoryview:
    if isinstance(part, int):
        raise ValueError("a number where a message belongs")  # noqa: TRY004  whoever reads files catches this one
    return part
