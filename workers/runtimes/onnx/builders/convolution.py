"""Convolutions: torch's own modules where weights are constant, with padding in front where torch knows no such pads."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply, frozen
from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.lists import with_lists
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds
from workers.runtimes.onnx.windows import Window, flat, windows_of

CONV: dict[int, type[Any]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV_FUNCTIONS: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED: dict[int, Any] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
TRANSPOSED_MODULES: dict[int, type[Any]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class Bordered(nn.Module):
    """A border of one value around the spatial axes, then a module."""

    def __init__(self, window: Window, value: float, module: nn.Module) -> None:
        super().__init__()
        self.window, self.value = window, value
        self.module = module

    def forward(self, x: torch.Tensor) -> Any:
        """The module's answer on the bordered input."""
        return self.module(F.pad(x, flat(self.window.pads_for(x.shape[2:])), value=self.value))


@builds("Conv", inputs=(2, 3))
def conv(node: Node) -> nn.Module:
    """Convolution with constant or computed weights."""
    weight, bias = node.constant(1), node.constant(2)
    groups, windows = node.whole("group", 1), windows_of(node)
    node.ignore("kernel_shape")  # it repeats the weight's
    if weight is None or (node.has(2) and bias is None):
        return Apply("Conv", lambda x, weight, bias=None: _convolved(x, weight, bias, windows(weight.shape[2:]), groups))
    window = windows(weight.shape[2:])
    node.drop(1)
    node.drop(2)
    module = _module(tensor_of(weight, node.label), None if bias is None else tensor_of(bias, node.label), window, groups)
    return module if window.symmetric is not None else Bordered(window, 0.0, module)


def _module(weight: torch.Tensor, bias: torch.Tensor | None, window: Window, groups: int) -> nn.Module:
    made = CONV[len(window.kernel)](
        weight.shape[1] * groups, weight.shape[0], window.kernel, window.strides, window.symmetric or 0, window.dilations,
        groups, bias is not None, device="meta",
    )  # fmt: skip
    made.weight = frozen(weight)
    made.bias = None if bias is None else frozen(bias)
    module: nn.Module = made
    return module


def _convolved(x: torch.Tensor, weight: torch.Tensor, bias: Any, window: Window, groups: int) -> torch.Tensor:
    x = F.pad(x, flat(window.pads_for(x.shape[2:])))
    answer: torch.Tensor = CONV_FUNCTIONS[len(window.kernel)](x, weight, bias, window.strides, 0, window.dilations, groups)
    return answer


@builds("ConvTranspose", inputs=(2, 3))
def conv_transpose(node: Node) -> nn.Module:
    """Transposed convolution: torch's own module for plain pads, else the whole answer, cropped."""
    weight, bias = node.constant(1), node.constant(2)
    groups, windows = node.whole("group", 1), windows_of(node)
    node.ignore("kernel_shape")  # it repeats the weight's
    given, shape = node.wholes("output_padding"), node.wholes("output_shape")

    def cropped(x: torch.Tensor, weight: torch.Tensor, bias: Any = None) -> torch.Tensor:
        more = given or [0] * (weight.ndim - 2)
        return _cropped(x, weight, bias, windows(weight.shape[2:]), groups, more, shape)

    if weight is None or (bias is None and node.has(2)):
        return Apply("ConvTranspose", cropped)
    window, extra = windows(weight.shape[2:]), given or [0] * (weight.ndim - 2)
    small = all(
        more < max(stride, dilation) for more, stride, dilation in zip(extra, window.strides, window.dilations, strict=True)
    )
    if window.symmetric is None or shape is not None or not small:
        return Apply("ConvTranspose", cropped)
    node.drop(1)
    node.drop(2)
    made = TRANSPOSED_MODULES[len(extra)](
        weight.shape[0], weight.shape[1] * groups, window.kernel, window.strides, window.symmetric, tuple(extra), groups,
        bias is not None, window.dilations, device="meta",
    )  # fmt: skip
    made.weight = frozen(tensor_of(weight, node.label))
    made.bias = None if bias is None else frozen(tensor_of(bias, node.label))
    module: nn.Module = made
    return module


def _cropped(
    x: torch.Tensor, weight: torch.Tensor, bias: Any, window: Window, groups: int, extra: list[int], shape: list[int] | None
) -> torch.Tensor:
    whole: torch.Tensor = TRANSPOSED[len(window.kernel)](x, weight, None, window.strides, 0, 0, groups, window.dilations)
    crops = []
    for axis, stride in enumerate(window.strides):
        full = whole.shape[2 + axis] + extra[axis]
        low, high = window.pads[axis] if window.pads is not None else (0, 0)
        if shape is not None or window.pads is None:
            total = full - (shape[axis - len(window.strides)] if shape is not None else x.shape[2 + axis] * stride)
            low, high = (total // 2, total - total // 2) if window.upper else (total - total // 2, total // 2)
            if window.pads is not None and shape is not None:  # no auto_pad: as the specification says of output_shape
                low, high = total - total // 2, total // 2
            if total < 0:  # more is asked than there is: zeros after the end, and with SAME pads what there is
                low, high = 0, total if shape is not None else 0
        crops.append((-low, extra[axis] - high))
    answer = F.pad(whole, flat(tuple(crops)))
    return answer if bias is None else answer + bias.reshape(-1, *[1] * len(window.kernel))


@builds("Col2Im", inputs=(3, 3))
def col2im(node: Node) -> nn.Module:
    """Columns back to an image, overlaps added up (two spatial axes)."""
    windows = windows_of(node)

    def image(x: torch.Tensor, shape: list[int], block: list[int]) -> torch.Tensor:
        if len(shape) != 2:
            node.refuse("with other than two spatial axes is not translated")
        window = windows(block)
        pads = window.pads_for(shape)
        padded = tuple(size + sum(pad) for size, pad in zip(shape, pads, strict=True))
        whole = F.fold(x, padded, window.kernel, window.dilations, 0, window.strides)
        (top, _), (left, _) = pads
        return whole[:, :, top : top + shape[0], left : left + shape[1]]

    return with_lists(node, (1, 2), image)
