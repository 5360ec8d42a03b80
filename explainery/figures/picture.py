"""An image input as a person sees it: the card's normalisation undone, channels last, 0 to 255."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from explainery.contract.model_card import InputSpec
from explainery.figures.subject import Piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PIXELS = 50_000_000
"""Of an encoded image, as the workers bound it."""


def seen(piece: Piece, height: int, width: int) -> NDArray[Any] | None:
    """uint8 [height, width, 3] of the row's image; None when it is not kept, or not of that size."""
    if isinstance(piece.given, bytes):
        return _decoded(piece.given, height, width)
    if piece.given is None or piece.spec is None:
        return None
    pixels = visible(piece.given, piece.spec)
    return pixels if pixels is not None and pixels.shape[:2] == (height, width) else None


def visible(values: NDArray[Any], spec: InputSpec) -> NDArray[Any] | None:
    """uint8 [height, width, 3] of one row of an image input; None when its channels make no picture."""
    import numpy as np

    last = channels_last(values, spec)
    if last is None or last.shape[-1] not in (1, 3, 4):
        return None
    last = last[..., :3].astype(np.float64)
    if spec.std is not None or spec.mean is not None:
        last = last * np.asarray(spec.std or 1.0)[..., :3] + np.asarray(spec.mean or 0.0)[..., :3]
    low, high = bounds(last, spec)
    return (
        np.rint(255 * np.clip((last - low) / ((high - low) or 1.0), 0, 1)).astype(np.uint8).repeat(3 // last.shape[-1], axis=-1)
    )


def channels_last(values: NDArray[Any], spec: InputSpec) -> NDArray[Any] | None:
    """[height, width, channels] of one row in the card's layout; None when it is no such row."""
    axes = {"NCHW": (1, 2, 0), "NHWC": (0, 1, 2)}
    if spec.layout == "NHW" and values.ndim == 2:
        return values[..., None]
    if values.ndim != 3 or spec.layout not in axes:
        return None
    return values.transpose(axes[spec.layout])


def bounds(values: NDArray[Any], spec: InputSpec) -> tuple[float, float]:
    """Black and white: the card's range, else 0 and 255 or 0 and 1 where they hold the picture, else its own extremes."""
    if spec.range is not None:
        return spec.range
    low, high = float(values.min()), float(values.max())
    if low >= -0.01 and high <= 1.01:
        return 0.0, 1.0
    return (0.0, 255.0) if low >= 0 and high <= 255.5 else (low, high)


def _decoded(content: bytes, height: int, width: int) -> NDArray[Any] | None:
    """A PNG or JPEG in the model's size; None without Pillow, or when it cannot be read."""
    import numpy as np

    try:
        from PIL import Image
    except ModuleNotFoundError:
        return None
    try:
        picture: Image.Image = Image.open(io.BytesIO(content), formats=["PNG", "JPEG"])
        if picture.width * picture.height > MOST_PIXELS:
            return None
        if picture.mode.startswith("I"):
            picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
        return np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
    except Exception:  # a broken file may make the decoder raise anything, and the worker has refused it long ago
        return None
