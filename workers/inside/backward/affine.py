"""Linear layers as relevance rules see them: a function of input and weight, linear in both, and a shift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.inside.backward.calls import Call

Apply = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Layer:
    """`apply(x, weight) + bias`. `kind`: "dense" or "conv".

    `outputs`: the weight's axis of output channels, None where there is none. `channels`: the output's axis of them. `bias` is
    broadcast with the output.
    """

    apply: Apply
    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    kind: str
    outputs: int | None
    channels: int

    def value(self) -> torch.Tensor:
        """The layer's output."""
        y = self.apply(self.x, self.weight)
        return y if self.bias is None else y + self.bias

    def shifted(self, shift: torch.Tensor) -> Layer:
        """The layer and a sum with numbers, as one layer."""
        return replace(self, bias=shift if self.bias is None else self.bias + shift)

    def scaled(self, scale: torch.Tensor, shift: torch.Tensor, rank: int) -> Layer | None:
        """The layer and a scale and shift of its channels, as one layer; None where its weight has no axis for them."""
        if self.outputs is None or self.channels % rank != 1:
            return None
        along = [-1 if axis == self.outputs else 1 for axis in range(self.weight.ndim)]
        wide = [-1 if axis == 1 else 1 for axis in range(rank)]
        bias = shift.reshape(wide) if self.bias is None else self.bias * scale.reshape(wide) + shift.reshape(wide)
        return replace(self, weight=self.weight * scale.reshape(along), bias=bias)


def layer_of(call: Call) -> Layer | None:
    """The layer that a call computes, or None where its weight varies too, or more than one input does."""
    if len(call.varying) != 1 or sum(tensor.requires_grad for tensor in call.tensors) != 1:
        return None
    if call.name == "linear":
        x, weight, bias = call.bound("input", "weight", "bias").values()
        return Layer(F.linear, x, weight, bias, "dense", 0, x.ndim - 1) if x.requires_grad else None
    if call.name.startswith("conv"):
        return _convolution(call)
    if call.name in ("addmm", "addmv", "baddbmm"):
        return _sum_and_product(call)
    return _product(call)


def _convolution(call: Call) -> Layer | None:
    x, weight, bias = (call.bound("input", "weight", "bias")[name] for name in ("input", "weight", "bias"))
    if not x.requires_grad:
        return None
    transposed = "transpose" in call.name or (call.name == "convolution" and bool(call.args[6]))
    plain = Call(
        call.func, (x, weight, None, *call.args[3:]), {key: value for key, value in call.kwargs.items() if key not in TAKEN}
    )

    def apply(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = Call(plain.func, (x, weight, *plain.args[2:]), plain.kwargs).run()
        return answer

    grouped = weight.shape[0] != x.shape[x.ndim - weight.ndim + 1] if transposed else False
    channels = x.ndim - weight.ndim + 1
    shaped = None if bias is None else bias.reshape([-1 if axis == channels else 1 for axis in range(x.ndim)])
    outputs = None if grouped or (transposed and _groups(call) != 1) else int(transposed)
    return Layer(apply, x, weight, shaped, "conv", outputs, channels)


TAKEN = ("input", "weight", "bias", "self")


def _groups(call: Call) -> int:
    if call.name == "convolution":
        return int(call.args[8])
    if "transpose" in call.name:  # input, weight, bias, stride, padding, output_padding, groups
        return int(call.kwargs.get("groups", call.args[6] if len(call.args) > 6 else 1))
    return 1


def _product(call: Call) -> Layer | None:
    """A matrix product with a fixed factor on either side."""
    one, other = (call.args[1], call.args[0]) if call.name == "rmatmul" else call.args[:2]
    if call.name not in ("matmul", "mm", "bmm", "mv", "rmatmul"):
        return None
    if one.requires_grad:
        outputs = 1 if other.ndim == 2 else None
        return Layer(torch.matmul, one, other, None, "dense", outputs, one.ndim - 1)
    return Layer(lambda x, weight: torch.matmul(weight, x), other, one, None, "dense", None, 0)


def _sum_and_product(call: Call) -> Layer | None:
    shift, one, other = call.args[:3]
    if not one.requires_grad:
        return None
    beta, alpha = call.kwargs.get("beta", 1), call.kwargs.get("alpha", 1)
    weight = other if alpha == 1 else other * alpha
    return Layer(
        torch.matmul, one, weight, shift if beta == 1 else shift * beta, "dense", 1 if other.ndim == 2 else None, one.ndim - 1
    )


def batch_norm_numbers(call: Call) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift per channel of a batch normalisation by running statistics."""
    bound: dict[str, Any]
    if call.name == "native_batch_norm":
        bound = call.bound("input", "weight", "bias", "running_mean", "running_var", "momentum", "eps")
    elif call.python:
        bound = call.bound("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    else:
        bound = call.bound("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps")
    scale = torch.rsqrt(bound["running_var"] + bound["eps"])
    scale = scale if bound["weight"] is None else scale * bound["weight"]
    shift = -bound["running_mean"] * scale
    return scale, shift if bound["bias"] is None else shift + bound["bias"]
