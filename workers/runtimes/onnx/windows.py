"""Sliding windows of convolutions and pools: kernel, strides, dilations, and pads as ONNX writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Read a node's window attributes for a kernel. Refuses what does not fit it."""
    return windows_of(node)(kernel)


def windows_of(node: Node) -> Callable[[Sequence[int]], Window]:
    """Read a node's window attributes; the kernel may be known only when the graph runs."""
    strides, dilations, pads = node.wholes("strides"), node.wholes("dilations"), node.wholes("pads")
    mode = node.text("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""):
        node.refuse("has an auto_pad that is not translated")

    def over(kernel: Sequence[int]) -> Window:
        axes = len(kernel)
        steps, gaps, given = strides or [1] * axes, dilations or [1] * axes, pads or [0] * (2 * axes)
        if len(steps) != axes or len(gaps) != axes or len(given) != 2 * axes or not 1 <= axes <= 3:
            node.refuse("has strides, dilations or pads that do not fit its kernel, or more than three axes")
        if min(*steps, *gaps, *kernel, 1) < 1:
            node.refuse("has strides, dilations or a kernel below one")
        around: Pads | None = tuple(zip(given[:axes], given[axes:], strict=True))
        if mode == "VALID":
            around = ((0, 0),) * axes
        elif mode.startswith("SAME"):
            around = None
        return Window(tuple(kernel), tuple(steps), tuple(gaps), around, mode != "SAME_LOWER")

    return over


def flat(pads: Pads) -> list[int]:
    """Pads in the order of torch.nn.functional.pad: the last axis first."""
    return [amount for pair in reversed(pads) for amount in pair]
