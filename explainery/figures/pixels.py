"""Arrays of pixels -> PNG files as data URLs, without an imaging library: the standard library compresses."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SIDE = 480
"""Pixels of a drawn picture's longer side; larger maps are averaged over blocks first."""


def png(pixels: NDArray[Any]) -> bytes:
    """A PNG file of uint8 [height, width, 3] (PNG 1.2, truecolour, no filter)."""
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def data_url(pixels: NDArray[Any]) -> str:
    """The PNG as a URL that holds it."""
    return f"data:image/png;base64,{b64encode(png(pixels)).decode()}"


def enlarged(pixels: NDArray[Any], factor: int) -> NDArray[Any]:
    """Every pixel of [height, width, ...] `factor` times in both directions, so that nobody smooths them."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def reduced(values: NDArray[Any], block: int) -> NDArray[Any]:
    """Means over blocks of `block` by `block` of [height, width, ...]; the last blocks may be smaller."""
    import numpy as np

    if block == 1:
        return values
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], block)
        sizes = np.diff(np.append(starts, values.shape[axis]))
        shape = [-1 if here == axis else 1 for here in range(values.ndim)]
        values = np.add.reduceat(values, starts, axis=axis) / sizes.reshape(shape)
    return values


def block_of(height: int, width: int, most: int = MOST_SIDE) -> int:
    """How many pixels become one so that the longer side has at most `most`."""
    return max(1, -(-max(height, width) // most))


def factor_of(height: int, width: int, wanted: int) -> int:
    """How much to enlarge so that the longer side comes near `wanted`."""
    return max(1, wanted // max(height, width))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
