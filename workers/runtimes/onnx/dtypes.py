"""ONNX's element types in torch. Unsigned types wider than a byte are kept as int64, types narrower than one in bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from workers.runtimes.onnx.refusal import Untranslatable

DTYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.BOOL: torch.bool,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.UINT16: torch.int64,
    TensorProto.UINT32: torch.int64,
    TensorProto.UINT64: torch.int64,
    TensorProto.FLOAT8E4M3FN: torch.float8_e4m3fn,
    TensorProto.FLOAT8E4M3FNUZ: torch.float8_e4m3fnuz,
    TensorProto.FLOAT8E5M2: torch.float8_e5m2,
    TensorProto.FLOAT8E5M2FNUZ: torch.float8_e5m2fnuz,
    TensorProto.INT4: torch.int8,
    TensorProto.INT2: torch.int8,
    TensorProto.UINT4: torch.uint8,
    TensorProto.UINT2: torch.uint8,
}
BITS = {TensorProto.INT4: 4, TensorProto.INT2: 2, TensorProto.UINT4: 4, TensorProto.UINT2: 2}
"""Types narrower than a byte: kept one to a byte."""
VIEWS: dict[str, tuple[Any, torch.dtype]] = {
    "bfloat16": (np.int16, torch.bfloat16),
    "float8_e4m3fn": (np.uint8, torch.float8_e4m3fn),
    "float8_e4m3fnuz": (np.uint8, torch.float8_e4m3fnuz),
    "float8_e5m2": (np.uint8, torch.float8_e5m2),
    "float8_e5m2fnuz": (np.uint8, torch.float8_e5m2fnuz),
}
"""NumPy's foreign types -> what their bits are read as, and the torch type."""
NARROW = {"int4": np.int8, "int2": np.int8, "uint4": np.uint8, "uint2": np.uint8}


def torch_dtype(onnx_type: int, op: str) -> torch.dtype:
    """The torch type of an ONNX element type. Raises Untranslatable for strings, complex numbers and packed types."""
    try:
        return DTYPES[onnx_type]
    except KeyError:
        name = TensorProto.DataType.Name(onnx_type) if onnx_type in TensorProto.DataType.values() else str(onnx_type)
        raise Untranslatable(f"{op} makes or takes {name}, which is not translated") from None


def tensor_of(array: NDArray[Any], op: str = "a constant") -> torch.Tensor:
    """A NumPy array as a tensor of its own. Raises Untranslatable for types that torch does not have."""
    if array.dtype.name in VIEWS:
        bits, dtype = VIEWS[array.dtype.name]
        return torch.from_numpy(array.view(bits).copy()).view(dtype)
    if array.dtype.name in NARROW:
        array = array.astype(NARROW[array.dtype.name])
    if array.dtype.kind not in "biuf":
        raise Untranslatable(f"{op} holds {array.dtype.name}, which is not translated")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array, order="C"))


def array_of(tensor: Any, op: str = "a constant") -> NDArray[Any]:
    """An embedded TensorProto as an array. Raises Untranslatable when its data is elsewhere or of a type we do not know."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise Untranslatable(f"{op} keeps its data in another file")
    torch_dtype(tensor.data_type, op)
    return np.asarray(numpy_helper.to_array(tensor))
