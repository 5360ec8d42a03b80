"""Images: decoded as the card says; a grid of patches plays, all channels of a patch together."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from explainery.contract.errors import InputUndecodable, InvalidBaseline, InvalidParameter
from explainery.contract.model_card import InputSpec
from explainery.contract.tensors import NUMPY_NAMES
from workers.plugins import Groups
from workers.segments import planes, superpixels

DEFAULT_GRID = 8
"""Patches per axis when no grid is asked for (fewer where the image has fewer pixels)."""
BLUR_SHARE = 0.1
"""Standard deviation of the "blur" baseline as a share of the longer side."""
MOST_PIXELS = 50_000_000
"""Of one encoded image: a large photograph, 150 MB when decoded."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels -> Pillow's mode."""
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}


def decode(spec: InputSpec, encoded: Sequence[bytes], media_type: str) -> NDArray[Any]:
    """PNG or JPEG files -> [rows, *row shape]: converted to the card's channels, resized, scaled to `range`, normalised.

    Raises InputUndecodable for what is no such file, is too large, or makes rows of different sizes.
    """
    if media_type not in FORMATS or _channels(spec) not in MODES:
        raise InputUndecodable(
            f"Input {spec.name} takes no files of type {media_type}: send PNG or JPEG where the card has "
            f"{', '.join(map(str, MODES))} channels, else numbers."
        )
    rows = [_decode_one(spec, content, media_type) for content in encoded]
    if len({row.shape for row in rows}) > 1:
        raise InputUndecodable(f"The images for input {spec.name} differ in size; send those of one size in a job.")
    return np.stack(rows)


def groups(spec: InputSpec, shape: tuple[int, ...], features: Mapping[str, Any] | None) -> Groups:
    """Patches of a grid: `{"grid": n}` or `{"grid": [rows, columns]}`. Superpixels follow the picture: `groups_by_content`."""
    rows, columns = _axes(spec)
    height, width = shape[rows], shape[columns]
    if features is None:
        grid = (min(DEFAULT_GRID, height), min(DEFAULT_GRID, width))
    else:
        grid = _asked_grid(spec, features, height, width)
    down = np.arange(height) * grid[0] // height
    across = np.arange(width) * grid[1] // width
    patches = down[:, None] * grid[1] + across[None, :]
    channels_first = np.broadcast_to(patches, (shape[0], height, width)) if spec.layout == "NCHW" else patches
    labels = np.broadcast_to(patches[:, :, None], shape) if spec.layout == "NHWC" else channels_first
    names = tuple(f"patch {row},{column}" for row in range(grid[0]) for column in range(grid[1]))
    return Groups(np.ascontiguousarray(labels, dtype=np.int64), names, grouped=features is not None)


def groups_by_content(spec: InputSpec, row: NDArray[Any], features: Mapping[str, Any]) -> Groups:
    """About `{"superpixels": n}` compact regions of a picture that look alike. `row`: [*row shape]."""
    regions = superpixels(planes(row.astype(np.float64), str(spec.layout)), features["superpixels"])
    whole = regions[:, :, None] if spec.layout == "NHWC" else regions
    labels = np.ascontiguousarray(np.broadcast_to(whole, row.shape), dtype=np.int64)
    return Groups(labels, tuple(f"superpixel {number}" for number in range(int(regions.max()) + 1)))


def baseline(spec: InputSpec, kind: str, rows: NDArray[Any], sample: NDArray[Any] | None) -> NDArray[np.float64]:
    """Each image's own mean per channel ("mean"), or the image blurred beyond recognition ("blur")."""
    axes = tuple(1 + axis for axis in _axes(spec))
    if kind == "mean":
        mean = rows.mean(axis=axes, keepdims=True, dtype=np.float64)
        return np.broadcast_to(mean, rows.shape).copy()
    if kind == "blur":
        sigma = [0.0] * rows.ndim
        for axis in axes:
            sigma[axis] = BLUR_SHARE * max(rows.shape[axis] for axis in axes)
        return np.asarray(gaussian_filter(rows.astype(np.float64), sigma, mode="nearest"))
    raise InvalidBaseline(f'Input {spec.name} has no "{kind}" baseline.')


def _axes(spec: InputSpec) -> tuple[int, int]:
    """Where height and width are in a row's shape."""
    layout = str(spec.layout)[1:]
    return layout.index("H"), layout.index("W")


def _asked_grid(spec: InputSpec, features: Mapping[str, Any], height: int, width: int) -> tuple[int, int]:
    if "grid" not in features:
        raise InvalidParameter(
            f'Input {spec.name} is an image: features may be "elements", {{"grid": ...}}, {{"superpixels": ...}} or '
            '{"labels": ...}.'
        )
    asked = features["grid"]
    grid = (asked, asked) if isinstance(asked, int) else tuple(asked)
    if len(grid) != 2 or grid[0] > height or grid[1] > width:
        raise InvalidParameter(f"features.grid must be one or two numbers, at most {height} by {width} for input {spec.name}.")
    return grid[0], grid[1]


def _channels(spec: InputSpec) -> int:
    return {"NCHW": spec.row_shape[0], "NHWC": spec.row_shape[-1], "NHW": 1}[str(spec.layout)]


def _decode_one(spec: InputSpec, content: bytes, media_type: str) -> NDArray[Any]:
    try:
        picture = _opened(content, FORMATS[media_type], MODES[_channels(spec)])
    except MemoryError:
        raise
    except Exception:  # a broken file may make the decoder raise anything
        raise InputUndecodable(
            f"An image for input {spec.name} cannot be decoded as {media_type}; send a valid PNG or JPEG of at most "
            f"{MOST_PIXELS // 10**6} million pixels."
        ) from None
    rows, columns = _axes(spec)
    height, width = spec.row_shape[rows], spec.row_shape[columns]
    size = (picture.width if width == -1 else width, picture.height if height == -1 else height)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return _pixels(spec, np.asarray(picture).reshape(size[1], size[0], _channels(spec)))


def _opened(content: bytes, file_format: str, mode: str) -> Image.Image:
    """The picture in a mode of 8 bits per channel."""
    picture: Image.Image = Image.open(io.BytesIO(content), formats=[file_format])
    if picture.width * picture.height > MOST_PIXELS:  # a small file can hold a huge image: its size is read before its pixels
        raise ValueError("too many pixels")
    if picture.mode.startswith("I"):  # 16 bits of grey: converting would cut off what is above 255
        picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    return picture.convert(mode)


def _pixels(spec: InputSpec, pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels [height, width, channels] of 0-255 as the card wants them."""
    if spec.datatype.startswith("FP"):
        low, high = spec.range or (0.0, 1.0)
        pixels = low + pixels / 255.0 * (high - low)
        pixels = (pixels - np.asarray(spec.mean or 0.0)) / np.asarray(spec.std or 1.0)
    shaped = {"NCHW": pixels.transpose(2, 0, 1), "NHWC": pixels, "NHW": pixels[:, :, 0]}[str(spec.layout)]
    return shaped.astype(NUMPY_NAMES[spec.datatype])
