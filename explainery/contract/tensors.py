"""Named tensors <-> bytes and JSON. The only place that knows either form.

Stored form: safetensors. A result is one safetensors blob: its header carries the `Result` as JSON under "result", its
tensors are stacked over the job's rows:

    attributions.<input>      [rows, *shape of the attribution], filled up with zeros where rows have different ones
    standard_error.<input>    the same shape, for sampling methods
    maps.<name>[.<layer>]     [rows, *shape of the map], for methods that give any
    instance_output, baseline_output    [rows]

What a job that refines another goes on from travels with its inputs, as `known/numbers`, `known/lengths` and `known/about`; see
`workers/remembering.py`.

A method that answers for the job as a whole has no attributions: its maps are stored once, and the two outputs are empty.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InputNotFinite, InvalidInput
from explainery.contract.result import MapInfo, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

NUMPY_NAMES = {
    "BOOL": "bool", "UINT8": "uint8", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
"""Open Inference Protocol datatype -> NumPy dtype name."""


def pack(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, str] | None = None) -> bytes:
    """Named arrays as safetensors bytes, with an optional header of strings."""
    import numpy as np
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return bytes(save(contiguous, metadata=dict(header) if header else None))


def unpack(blob: bytes) -> Arrays:
    """Named arrays from safetensors bytes."""
    from safetensors.numpy import load

    return dict(load(blob))


def header(blob: bytes) -> dict[str, str]:
    """The header strings of safetensors bytes, without reading the arrays."""
    size = int.from_bytes(blob[:8], "little")
    return dict(json.loads(blob[8 : 8 + size]).get("__metadata__", {}))


def given_rows(blob: bytes, row: int) -> dict[str, NDArray[Any] | bytes]:
    """Row `row` of a job's stored inputs by input name: numbers as they were sent, files and texts as their bytes."""
    found: dict[str, NDArray[Any] | bytes] = {}
    for name, array in unpack(blob).items():
        kind, _, rest = name.partition("/")
        if kind == "input" and row < len(array):
            found[rest] = array[row]
        elif kind == "encoded" and rest.rpartition("/")[2] == str(row):
            found[rest.rpartition("/")[0]] = array.tobytes()
    return found


def pack_result(result: Result, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A result and its arrays as one blob."""
    return pack(arrays, {"result": result.model_dump_json()})


def pack_partial(result: Result, arrays: Mapping[str, NDArray[Any]], *, row: int, rows_done: int, evaluations: int) -> bytes:
    """A running estimate: the result of one row, and how far the job is."""
    about = json.dumps({"row": row, "rows_done": rows_done, "evaluations": evaluations})
    return pack(arrays, {"result": result.model_dump_json(), "partial": about})


def partial_document(blob: bytes) -> dict[str, Any]:
    """A running estimate as the wire's JSON object."""
    found = result_document(blob)
    (explanation,) = found["explanations"]
    known = {name: found[name] for name in ("id", "method", "params", "value_function")}
    return {**known, **json.loads(header(blob)["partial"]), "explanation": explanation, "notes": found["notes"]}


def unpack_result(blob: bytes) -> tuple[Result, Arrays]:
    """The inverse of `pack_result`."""
    return Result.model_validate_json(header(blob)["result"]), unpack(blob)


def named(blob: bytes, job_id: str) -> bytes:
    """The result as that of job `job_id`: jobs that asked the same share one, which names the first of them."""
    known = header(blob)["result"]
    result = Result.model_validate_json(known)
    if result.id == job_id:
        return blob
    return pack_result(result.model_copy(update={"id": job_id}), unpack(blob))


def result_document(blob: bytes) -> dict[str, Any]:
    """The result as the wire's JSON object: every attribution gets its `data` (flat) as a one-row NumPy array.

    The arrays are left as NumPy arrays for an encoder that writes them without a detour over Python numbers.
    """
    result, arrays = unpack_result(blob)
    document = result.model_dump(mode="json")
    for row, explanation in enumerate(document["explanations"]):
        for attribution in explanation["attributions"]:
            name = attribution["input"]
            attribution["data"] = own_part(arrays[f"attributions.{name}"][row], attribution["shape"]).reshape(-1)
            errors = arrays.get(f"standard_error.{name}")
            attribution["standard_error"] = None if errors is None else own_part(errors[row], attribution["shape"]).reshape(-1)
        for number, described in enumerate(result.explanations[row].maps):
            explanation["maps"][number]["data"] = own_part(arrays[map_key(described)][row], described.shape).reshape(-1)
    for described, entry in zip(result.maps, document["maps"], strict=True):
        entry["data"] = arrays[map_key(described)].reshape(-1)
    return document


def own_part(stacked: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """What is a row's own of its place in a stack: texts have attributions of different lengths."""
    return stacked[tuple(slice(size) for size in shape)]


def map_key(described: MapInfo) -> str:
    """What a map's array is called."""
    return f"maps.{described.name}" + (f".{described.layer}" if described.layer else "")


def result_npz(blob: bytes) -> bytes:
    """The result as a NumPy archive: the stored arrays, and the rest as JSON under "result"."""
    import numpy as np

    out = io.BytesIO()
    arrays: dict[str, Any] = {**unpack(blob), "result": np.array(header(blob)["result"])}
    np.savez(out, **arrays)
    return out.getvalue()


def tensor_from_json(datatype: str, shape: list[int], data: Any, loc: str) -> NDArray[Any]:
    """A tensor from its JSON form, `data` flat, or nested as `shape` says; or an array of that datatype and shape already.

    Raises InvalidInput when datatype, shape or the number or type of the elements are off, InputNotFinite on NaN or infinity.
    """
    if datatype not in NUMPY_NAMES:
        raise _refused(f"{loc}.datatype", f"is not one of {', '.join(NUMPY_NAMES)}")
    if hasattr(data, "dtype"):
        check_finite(data, f"{loc}.data")
        return data  # type: ignore[no-any-return]  # read from bytes, by `binary_tensors.array_of`
    if not isinstance(data, list):
        raise _refused(f"{loc}.data", "must be a list")
    flat, nesting = _flatten(data, f"{loc}.data")
    expected = math.prod(shape) if all(size >= 0 for size in shape) else 0
    if len(flat) != expected:
        raise _refused(f"{loc}.data", f"has {len(flat)} elements, its shape needs {expected}")
    if len(nesting) > 1 and nesting != tuple(shape):
        raise _refused(f"{loc}.data", "is nested otherwise than its shape says; nest it like the shape, or send it flat")
    return _array(flat, tuple(shape), f"{loc}.data", datatype)


def tensor_from_nested(datatype: str, data: Any, loc: str) -> NDArray[Any]:
    """A tensor from nested lists, which give its shape; a bare number has shape ().

    Raises InvalidInput when the lists are ragged or hold elements of another type, InputNotFinite on NaN or infinity.
    """
    if isinstance(data, list):
        return _array(*_flatten(data, loc), loc, datatype)
    return _array([data], (), loc, datatype)


LARGEST_FLOATS = {"FP16": 65504.0, "FP32": 3.4028234663852886e38, "FP64": 1.7976931348623157e308}


def limits(datatype: str) -> tuple[float, float]:
    """Smallest and largest number of a datatype."""
    if datatype in LARGEST_FLOATS:
        return -LARGEST_FLOATS[datatype], LARGEST_FLOATS[datatype]
    if datatype == "BOOL":
        return 0, 1
    bits = int("".join(filter(str.isdigit, datatype)))
    return (0, 2**bits - 1) if datatype.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def check_element_types(flat: list[Any], datatype: str, loc: str) -> None:
    """Refuse elements of another JSON type than the datatype's: `false` is not `0`, `"7"` is not `7`."""
    allowed = {bool} if datatype == "BOOL" else {int, float} if datatype.startswith("FP") else {int}
    if not set(map(type, flat)) <= allowed:
        wanted = "true or false" if datatype == "BOOL" else "numbers" if datatype.startswith("FP") else "whole numbers"
        raise _refused(loc, f"must hold only {wanted} ({datatype})")


def check_finite(array: NDArray[Any], loc: str) -> None:
    """Raise InputNotFinite when a float array holds NaN or infinity (a value too large for its datatype included)."""
    import numpy as np

    if array.dtype.kind == "f" and not bool(np.isfinite(array).all()):
        message = "holds NaN or infinity; replace missing values before asking"
        raise InputNotFinite(f"{loc} {message}", [{"loc": loc, "msg": message}])


def _array(flat: list[Any], shape: tuple[int, ...], loc: str, datatype: str) -> NDArray[Any]:
    """The array of checked elements."""
    import numpy as np

    check_element_types(flat, datatype, loc)
    dtype = np.dtype(NUMPY_NAMES[datatype])
    try:
        with np.errstate(over="ignore"):  # a float too large becomes infinity, which is refused by name
            array = np.array(flat, dtype=np.int64 if dtype.kind in "iu" else dtype)
    except OverflowError:
        raise _refused(loc, f"has a value outside the range of {datatype}") from None
    if dtype.kind in "iu" and array.size:
        low, high = limits(datatype)
        if array.min() < low or array.max() > high:
            raise _refused(loc, f"has a value outside the range of {datatype}")
    check_finite(array, loc)
    return array.astype(dtype, copy=False).reshape(shape)


def _flatten(data: list[Any], loc: str) -> tuple[list[Any], tuple[int, ...]]:
    """The elements of nested lists and their shape; ragged ones are refused."""
    level, shape = data, [len(data)]
    while level and isinstance(level[0], list):
        width = len(level[0])
        if not all(isinstance(part, list) and len(part) == width for part in level):
            raise _refused(loc, "is ragged: nested lists must all have the same length")
        level = [element for part in level for element in part]
        shape.append(width)
    return level, tuple(shape)


def _refused(loc: str, message: str) -> InvalidInput:
    return InvalidInput(f"{loc} {message}", [{"loc": loc, "msg": message}])
