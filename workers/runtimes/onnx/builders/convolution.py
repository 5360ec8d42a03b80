"""Convolutions: torch's own modules where weights are constant, with padding in front where torch knows no such pads."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply, frozen
from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds
from workers.runtimes.onnx.windows import Window, flat, window_of

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
    groups, kernel = node.whole("group", 1), node.wholes("kernel_shape")
    if weight is not None:
        kernel = list(weight.shape[2:])
    if kernel is None:
        node.refuse("with computed weights and no kernel_shape is not translated")
    window = window_of(node, kernel)
    if weight is None or (node.has(2) and bias is None):
        return Apply("Conv", lambda x, weight, bias=None: _convolved(x, weight, bias, window, groups))
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
    kernel = node.wholes("kernel_shape") or (list(weight.shape[2:]) if weight is not None else None)
    if kernel is None:
        node.refuse("with computed weights and no kernel_shape is not translated")
    groups, window = node.whole("group", 1), window_of(node, kernel)
    extra, shape = node.wholes("output_padding") or [0] * len(kernel), node.wholes("output_shape")
    known = weight is not None and (bias is not None or not node.has(2))
    small = all(
        more < max(stride, dilation) for more, stride, dilation in zip(extra, window.strides, window.dilations, strict=True)
    )
    if not known or window.symmetric is None or shape is not None or not small:
        function = lambda x, weight, bias=None: _cropped(x, weight, bias, window, groups, extra, shape)  # noqa: E731
        return Apply("ConvTranspose", function)
    node.drop(1)
    node.drop(2)
    made = TRANSPOSED_MODULES[len(kernel)](
        weight.shape[0], weight.shape[1] * groups, window.kernel, window.strides, window.symmetric, tuple(extra), groups,  # type: ignore[union-attr]
        bias is not None, window.dilations, device="meta",
    )  # fmt: skip
    made.weight = frozen(tensor_of(weight, node.label))  # type: ignore[arg-type]
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
            if total < 0:  # more is asked than there is: zeros after the end
                low, high = 0, total
        crops.append((-low, extra[axis] - high))
    answer = F.pad(whole, flat(tuple(crops)))
    return answer if bias is None else answer + bias.reshape(-1, *[1] * len(window.kernel))


@builds("Col2Im", inputs=(3, 3))
def col2im(node: Node) -> nn.Module:
    """Columns back to an image, overlaps added up (two spatial axes)."""
    shape, block = node.need(1, "image shape"), node.need(2, "block shape")
    if shape.size != 2:
        node.refuse("with other than two spatial axes is not translated")
    window = window_of(node, [int(size) for size in block])

    def image(x: torch.Tensor) -> torch.Tensor:
        height, width = (int(size) for size in shape)
        pads = window.pads_for((height, width))
        padded = (height + sum(pads[0]), width + sum(pads[1]))
        whole = F.fold(x, padded, window.kernel, window.dilations, 0, window.strides)
        return whole[:, :, pads[0][0] : pads[0][0] + height, pads[1][0] : pads[1][0] + width]

    return Apply("Col2Im", image)
