"""Functions written out in simpler ones, with the parameters that torch gives them: what their kernels hide."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  # its usual name

Tensor = torch.Tensor


def addmm(input: Tensor, one: Tensor, other: Tensor, *, beta: float = 1, alpha: float = 1, **_: Any) -> Tensor:
    """Beta input + alpha one @ other."""
    product = torch.matmul(one, other)
    product = product if alpha == 1 else product * alpha
    return product + (input if beta == 1 else input * beta) if beta else product


def addcmul(input: Tensor, one: Tensor, other: Tensor, *, value: float = 1) -> Tensor:
    """Input + value one other."""
    return input + one * other * value


def addcdiv(input: Tensor, one: Tensor, other: Tensor, *, value: float = 1) -> Tensor:
    """Input + value one / other."""
    return input + one / other * value


def div(one: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """One times the reciprocal of the other."""
    quotient: Tensor = one * torch.reciprocal(other)
    if rounding_mode is None:
        return quotient
    return torch.floor(quotient) if rounding_mode == "floor" else torch.trunc(quotient)


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """By exponential and logarithm, where both may vary: the base must be positive."""
    return torch.exp(exponent * torch.log(base))


def maximum(one: Tensor, other: Tensor) -> Tensor:
    """One, and what the other is above it."""
    return one + torch.relu(other - one)


def minimum(one: Tensor, other: Tensor) -> Tensor:
    """One, less what it is above the other."""
    return one - torch.relu(one - other)


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, **_: Any) -> Tensor:
    """One factor after the other."""
    if dim is None:
        raise ValueError("a product over all rows")
    answer: Tensor = functools.reduce(torch.mul, input.unbind(dim))
    return answer.unsqueeze(dim) if keepdim else answer


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half by the other's sigmoid."""
    one, gate = input.chunk(2, dim)
    return one * torch.sigmoid(gate)


def var(
    input: Tensor, dim: Any = None, *more: Any, correction: float | None = 1, keepdim: bool = False, unbiased: bool = True
) -> Tensor:
    """The mean square of what is beside the mean."""
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if more:  # var(input, dim, unbiased or correction, keepdim)
        unbiased, keepdim = more[0], more[1] if len(more) > 1 else keepdim
    axes = [dim] if isinstance(dim, int) else list(dim or range(1, input.ndim))
    beside = input - input.mean(axes, keepdim=True)
    count = math.prod(input.shape[axis] for axis in axes)
    less = 0 if not unbiased else 1 if correction is None else correction
    return (beside * beside).sum(axes, keepdim=keepdim) / (count - less)


def std(*args: Any, **kwargs: Any) -> Tensor:
    """The root of the variance."""
    return torch.sqrt(var(*args, **kwargs))


def vector_norm(input: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Tensor:
    """The root of the sum of powers."""
    axes = [dim] if isinstance(dim, int) else list(dim or range(1, input.ndim))
    if ord == 1:
        return input.abs().sum(axes, keepdim=keepdim)
    if ord != 2:
        return torch.pow(torch.pow(input.abs(), ord).sum(axes, keepdim=keepdim), 1 / ord)
    return torch.sqrt((input * input).sum(axes, keepdim=keepdim))


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """Each row's last axes with mean zero and variance one, then a scale and a shift."""
    axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    return _affine(_normalised(input, axes, eps), weight, bias)


def native_layer_norm(*args: Any) -> tuple[Tensor, ...]:
    """The normalised tensor; its statistics, which nobody reads, are left out."""
    return layer_norm(*args), torch.empty(0), torch.empty(0)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """Each row's last axes by the root of their mean square."""
    axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    small = torch.finfo(input.dtype).eps if eps is None else eps
    return _affine(input * torch.rsqrt((input * input).mean(axes, keepdim=True) + small), weight, None)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, *_: Any
) -> Tensor:
    """Groups of channels with mean zero and variance one, then a scale and a shift per channel."""
    grouped = input.reshape(input.shape[0], num_groups, -1)
    normed = _normalised(grouped, (2,), eps).reshape(input.shape)
    return _affine(normed, *(_per_channel(one, input.ndim) for one in (weight, bias)))


def instance_norm(
    input: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, use_input_stats: bool, momentum: float, eps: float, *_: Any
) -> Tensor:
    """Each row's channel with mean zero and variance one, or by running statistics."""
    if use_input_stats:
        normed = _normalised(input, tuple(range(2, input.ndim)), eps)
    else:
        normed = (input - _per_channel(mean, input.ndim)) * torch.rsqrt(_per_channel(variance, input.ndim) + eps)
    return _affine(normed, *(_per_channel(one, input.ndim) for one in (weight, bias)))


def _normalised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    beside = x - x.mean(axes, keepdim=True)
    return beside * torch.rsqrt((beside * beside).mean(axes, keepdim=True) + eps)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _per_channel(one: Any, rank: int) -> Any:
    return None if one is None else one.reshape(1, -1, *[1] * (rank - 2))


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Scaled dot-product attention: softmax(q k' scale + mask) v."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    scores = torch.matmul(query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale), key.transpose(-2, -1))
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return torch.matmul(torch.softmax(scores, -1), value)


def lstm_cell(
    x: Tensor, states: tuple[Tensor, Tensor], w: Tensor, r: Tensor, wb: Any = None, rb: Any = None
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM."""
    i, f, g, o = (F.linear(x, w, wb) + F.linear(states[0], r, rb)).chunk(4, -1)
    cell = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def gru_cell(x: Tensor, state: Tensor, w: Tensor, r: Tensor, wb: Any = None, rb: Any = None) -> Tensor:
    """One step of a GRU."""
    (xr, xz, xn), (hr, hz, hn) = F.linear(x, w, wb).chunk(3, -1), F.linear(state, r, rb).chunk(3, -1)
    new = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return new + torch.sigmoid(xz + hz) * (state - new)


def rnn_tanh_cell(x: Tensor, state: Tensor, w: Tensor, r: Tensor, wb: Any = None, rb: Any = None) -> Tensor:
    """One step of an RNN."""
    return torch.tanh(F.linear(x, w, wb) + F.linear(state, r, rb))


def rnn_relu_cell(x: Tensor, state: Tensor, w: Tensor, r: Tensor, wb: Any = None, rb: Any = None) -> Tensor:
    """One step of an RNN with ReLU."""
    return torch.relu(F.linear(x, w, wb) + F.linear(state, r, rb))


PARTS: dict[str, Callable[..., Any]] = {
    "addmm": addmm, "baddbmm": addmm, "addmv": addmm, "addcmul": addcmul, "addcdiv": addcdiv, "glu": glu, "var": var,
    "std": std,
    "linalg_vector_norm": vector_norm, "layer_norm": layer_norm, "native_layer_norm": native_layer_norm, "rms_norm": rms_norm,
    "group_norm": group_norm, "instance_norm": instance_norm, "scaled_dot_product_attention": attention, "prod": prod,
    "lstm_cell": lstm_cell, "gru_cell": gru_cell, "rnn_tanh_cell": rnn_tanh_cell, "rnn_relu_cell": rnn_relu_cell,
}  # fmt: skip
