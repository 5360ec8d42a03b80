"""The binary tensor extension of the Open Inference Protocol: tensors as bytes after the JSON object.

Spec: triton-inference-server/server, extension_binary_data.md. A body is the JSON object, `Inference-Header-Content-Length`
bytes long, followed by the tensors that have a `binary_data_size`, in the object's order: little-endian, row-major. A tensor
of BYTES is a string after the other, each with its length in four bytes before it. Both sides of the protocol use this: the API
as a server, and remote models as a client.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explainery.contract.tensors import NUMPY_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER = "Inference-Header-Content-Length"
MEDIA_TYPE = "application/octet-stream"
SIZE = "binary_data_size"


class Misfit(ValueError):
    """Bytes that are not what is said of them. The message goes on after the name of what holds them: "is cut short"."""


def parted(body: bytes, length: str | None) -> tuple[bytes, bytes]:
    """The JSON object and the bytes after it. `length`: the header, None where there is none. Raises Misfit."""
    if length is None:
        return body, b""
    if not (length.isascii() and length.isdecimal()) or int(length[:18]) > len(body):
        raise Misfit(f"has an {HEADER} that does not fit it")
    return body[: int(length)], body[int(length) :]


def pieces(tensors: Sequence[Mapping[str, Any]], tail: bytes) -> list[bytes | None]:
    """Each tensor's own bytes, None for those in JSON; together they are all that follows the object. Raises Misfit."""
    found: list[bytes | None] = []
    start = 0
    for tensor in tensors:
        parameters = tensor.get("parameters")
        size = parameters.get(SIZE) if isinstance(parameters, Mapping) else None
        if size is None:
            found.append(None)
            continue
        if type(size) is not int or size < 0 or start + size > len(tail):
            raise Misfit("is cut short: it has fewer bytes than it says")
        found.append(tail[start : start + size])
        start += size
    if start != len(tail):
        raise Misfit("has more bytes than it says")
    return found


def array_of(piece: bytes, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """A tensor of numbers, in this machine's byte order; it may share the bytes' memory. Raises Misfit."""
    import numpy as np

    dtype = np.dtype(NUMPY_NAMES[datatype])
    if any(size < 0 for size in shape) or len(piece) != math.prod(shape) * dtype.itemsize:
        raise Misfit(f"has {len(piece)} bytes, its shape needs another count")
    if datatype == "BOOL" and any(byte > 1 for byte in set(piece)):
        raise Misfit("holds bytes that are neither 0 nor 1 (BOOL)")
    array: NDArray[Any] = np.frombuffer(piece, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(tuple(shape))
    return array


def strings_of(piece: bytes, count: int) -> list[bytes]:
    """The elements of a tensor of BYTES. Raises Misfit."""
    found: list[bytes] = []
    start = 0
    while start < len(piece) and len(found) <= count:
        end = start + 4 + int.from_bytes(piece[start : start + 4], "little")
        if start + 4 > len(piece) or end > len(piece):
            raise Misfit("is cut short: a string has fewer bytes than it says")
        found.append(piece[start + 4 : end])
        start = end
    if len(found) != count:
        raise Misfit(f"has {len(found)} strings, its shape needs {count}" if len(found) < count else "has too many strings")
    return found


def bytes_of(array: NDArray[Any]) -> bytes:
    """A tensor of numbers as it travels."""
    return array.astype(array.dtype.newbyteorder("<"), order="C", copy=False).tobytes()
