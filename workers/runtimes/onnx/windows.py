"""Sliding windows of convolutions and pools: kernel, strides, dilations, and pads as ONNX writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.runtimes.onnx.node import Node

Pads = tuple[tuple[int, int], ...]
"""(before, after) of each spatial axis."""


@dataclass(frozen=True)
class Window:
    """A window over spatial axes. `pads`: None where they depend on the input's size (`auto_pad` SAME_*)."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads | None
    upper: bool = True
    """Where SAME pads cannot be equal on both sides: whether the greater is after."""

    @property
    def symmetric(self) -> tuple[int, ...] | None:
        """The one pad of each axis, where both sides have the same."""
        if self.pads is None or any(low != high or low < 0 for low, high in self.pads):
            return None
        return tuple(low for low, _ in self.pads)

    def extents(self) -> tuple[int, ...]:
        """How far one window reaches on each axis."""
        return tuple(dilation * (size - 1) + 1 for size, dilation in zip(self.kernel, self.dilations, strict=True))

    def pads_for(self, sizes: Sequence[int]) -> Pads:
        """The pads for an input of these spatial sizes."""
        if self.pads is not None:
            return self.pads
        pads = []
        for size, stride, extent in zip(sizes, self.strides, self.extents(), strict=True):
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
            small, great = total // 2, total - total // 2
            pads.append((small, great) if self.upper else (great, small))
        return tuple(pads)


def window_of(node: Node, kernel: Sequence[int]) -> Window:
    """Read a node's window attributes. Refuses what does not fit the kernel."""
    axes = len(kernel)
    strides = node.wholes("strides") or [1] * axes
    dilations = node.wholes("dilations") or [1] * axes
    given = node.wholes("pads") or [0] * (2 * axes)
    mode = node.text("auto_pad", "NOTSET")
    if len(strides) != axes or len(dilations) != axes or len(given) != 2 * axes or not 1 <= axes <= 3:
        node.refuse("has strides, dilations or pads that do not fit its kernel, or more than three axes")
    if min(*strides, *dilations, *kernel, 1) < 1:
        node.refuse("has strides, dilations or a kernel below one")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""):
        node.refuse("has an auto_pad that is not translated")
    pads: Pads | None = tuple(zip(given[:axes], given[axes:], strict=True))
    if mode == "VALID":
        pads = ((0, 0),) * axes
    elif mode.startswith("SAME"):
        pads = None
    return Window(tuple(kernel), tuple(strides), tuple(dilations), pads, mode != "SAME_LOWER")


def flat(pads: Pads) -> list[int]:
    """Pads in the order of torch.nn.functional.pad: the last axis first."""
    return [amount for pair in reversed(pads) for amount in pair]
