"""Other resolutions: Resize and Upsample axis by axis, GridSample by torch's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.limits import sized
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.resize import Axis, Scheme, nearest, weights
from workers.runtimes.onnx.table import builds

COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
)  # fmt: skip
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
Sizes = Callable[[list[int], Any, Any], tuple[list[int], list[float]]]
"""(input sizes of the axes, scales, sizes) -> (output sizes, scales)."""


class Resize(nn.Module):
    """Resizes some axes, or all. Inputs: x, roi, scales, sizes; those that are constant are held as lists."""

    def __init__(
        self, scheme: Scheme, sizes: Sizes, axes: list[int] | None, constant: dict[int, list[float]], given: list[int]
    ) -> None:
        super().__init__()
        self.scheme, self.sizes, self.axes = scheme, sizes, axes
        self.constant, self.given = constant, given
        self._known: dict[Axis, tuple[Any, Any]] = {}

    def forward(self, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        """The resized tensor."""
        lists: dict[int, Any] = dict(self.constant)
        lists |= {index: value.tolist() for index, value in zip(self.given, rest, strict=True) if value is not None}
        axes = [axis % x.ndim for axis in self.axes] if self.axes is not None else list(range(x.ndim))
        before = [x.shape[axis] for axis in axes]
        after, scales = self.sizes(before, lists.get(2) or None, lists.get(3) or None)
        roi = lists.get(1) or [0.0] * len(axes) + [1.0] * len(axes)
        grown = dict(zip(axes, after, strict=True))
        sized((grown.get(axis, size) for axis, size in enumerate(x.shape)), "Resize")
        outside = None
        for number, axis in enumerate(axes):
            place = Axis(before[number], after[number], scales[number], roi[number], roi[number + len(axes)])
            if place.size == place.wanted and place.scale == 1 and self.scheme.coordinates != "tf_crop_and_resize":
                continue
            x, beyond = self._along(x, axis, place)
            if beyond.any():
                beyond = beyond.to(x.device).reshape(-1, *[1] * (x.ndim - 1 - axis))
                outside = beyond if outside is None else outside | beyond
        return x if outside is None else torch.where(outside, torch.full_like(x, self.scheme.extrapolation), x)

    def _along(self, x: torch.Tensor, axis: int, place: Axis) -> tuple[torch.Tensor, torch.Tensor]:
        if place not in self._known:
            if len(self._known) >= 16:
                self._known.clear()
            pick = nearest if self.scheme.mode == "nearest" else weights
            found, beyond = pick(place, self.scheme)
            self._known[place] = torch.from_numpy(found), torch.from_numpy(beyond)
        found, beyond = self._known[place]
        if self.scheme.mode == "nearest":
            return x.index_select(axis, found.to(x.device)), beyond
        return torch.matmul(x.movedim(axis, -1), found.to(x.device, x.dtype).T).movedim(-1, axis), beyond


def _sizes(policy: str) -> Sizes:
    def sizes(before: list[int], scales: Any, wanted: Any) -> tuple[list[int], list[float]]:
        if scales:
            return [int(size * scale) for size, scale in zip(before, scales, strict=True)], [float(scale) for scale in scales]
        if not wanted:
            raise ValueError("Resize has neither scales nor sizes")
        ratios = [new / size for new, size in zip(wanted, before, strict=True)]
        if policy == "stretch":
            return [int(size) for size in wanted], ratios
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        return [int(ratio * size + 0.5) for size in before], [ratio] * len(before)

    return sizes


@builds("Resize", inputs=(1, 4))
def resize(node: Node) -> nn.Module:
    """Since opset 11 with coordinates of choice; opset 10 is Upsample's form."""
    if node.version < 11:
        return _upsample(node)
    mode, kind = node.text("mode", "nearest"), node.text("coordinate_transformation_mode", "half_pixel")
    rounding, policy = node.text("nearest_mode", "round_prefer_floor"), node.text("keep_aspect_ratio_policy", "stretch")
    if mode not in ("nearest", "linear", "cubic") or kind not in COORDINATES or rounding not in ROUNDINGS:
        node.refuse("has a mode that is not translated")
    scheme = Scheme(
        mode, kind, rounding, node.number("cubic_coeff_a", -0.75), bool(node.whole("exclude_outside", 0)),
        node.number("extrapolation_value", 0.0), bool(node.whole("antialias", 0)),
    )  # fmt: skip
    return _module(node, scheme, policy, node.wholes("axes"))


@builds("Upsample", inputs=(1, 2))
def upsample(node: Node) -> nn.Module:
    """Scales are an attribute before opset 9."""
    return _upsample(node)


def _upsample(node: Node) -> nn.Module:
    mode = node.text("mode", "nearest")
    if mode not in ("nearest", "linear"):
        node.refuse("has a mode that is not translated")
    scheme = Scheme(mode, "asymmetric", "floor")
    if node.version < 9:
        return Resize(scheme, _sizes("stretch"), None, {2: node.numbers("scales") or []}, [])
    node.inputs = (node.inputs[0], "", *node.inputs[1:])
    return _module(node, scheme, "stretch", None)


def _module(node: Node, scheme: Scheme, policy: str, axes: list[int] | None) -> nn.Module:
    constant: dict[int, list[float]] = {}
    for index in (1, 2, 3):
        value = node.absorb(index)
        if value is not None:
            constant[index] = value.reshape(-1).tolist()
    given = [index for index in range(1, len(node.inputs)) if index not in node.absorbed]
    return Resize(scheme, _sizes(policy), axes, constant, given)


@builds("GridSample", inputs=(2, 2))
def grid_sample(node: Node) -> nn.Module:
    """Values at points of a grid."""
    mode, padding, corners = (
        node.text("mode", "linear"),
        node.text("padding_mode", "zeros"),
        bool(node.whole("align_corners", 0)),
    )
    names = {"linear": "bilinear", "bilinear": "bilinear", "nearest": "nearest", "cubic": "bicubic", "bicubic": "bicubic"}
    if mode not in names or padding not in ("zeros", "border", "reflection"):
        node.refuse("has a mode that is not translated")
    return Apply("GridSample", lambda x, grid: F.grid_sample(x, grid, names[mode], padding, corners))
