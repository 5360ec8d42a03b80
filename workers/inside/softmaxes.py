"""DeepLIFT through softmax and its kin, written out as exponentials, sums and quotients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from workers.inside.bodies import body_of
from workers.inside.calls import Call
from workers.inside.halves import Mixed, reduced_axes
from workers.inside.paired import Paired

FAR = 40.0
"""Scores whose maxima are farther apart than this are not brought down by one number for both halves: exp would underflow."""


def _shift(mode: Paired, x: torch.Tensor, dim: Any) -> torch.Tensor:
    """What scores are brought down by before exp: one number for both halves, or their own maxima where they are far apart."""
    top = x.detach().amax(dim, keepdim=True)
    axis = mode.axes.of(x)
    if axis in reduced_axes(dim, x.ndim):
        raise Mixed
    half = x.shape[axis] // 2
    here, there = top.narrow(axis, 0, half), top.narrow(axis, half, half)
    larger = torch.maximum(here, there)
    common = torch.cat([larger, larger], axis)
    far = ~((here - there).abs() <= FAR)
    if not bool(far.any()):
        return common
    own: torch.Tensor = mode.on(lambda: torch.where(torch.cat([far, far], axis), torch.amax(x, dim, True), common))
    return own


def softmax(mode: Paired, call: Call) -> Any:
    """Exponentials over their sum."""
    if call.python:
        return mode.on(_body(call), *call.args, **call.kwargs)
    x, dim = (call.bound("input", "dim")[name] for name in ("input", "dim"))
    shift = _shift(mode, x, dim)

    def written() -> torch.Tensor:
        raised = torch.exp(x - shift)
        return raised * torch.reciprocal(raised.sum(dim, keepdim=True))

    return mode.on(written)


def log_softmax(mode: Paired, call: Call) -> Any:
    """Scores less the logarithm of the sum of their exponentials."""
    if call.python:
        return mode.on(_body(call), *call.args, **call.kwargs)
    x, dim = (call.bound("input", "dim")[name] for name in ("input", "dim"))
    shift = _shift(mode, x, dim)

    def written() -> torch.Tensor:
        down = x - shift
        answer: torch.Tensor = down - torch.log(torch.exp(down).sum(dim, keepdim=True))
        return answer

    return mode.on(written)


def logsumexp(mode: Paired, call: Call) -> Any:
    """The logarithm of a sum of exponentials."""
    bound = call.bound("input", "dim", "keepdim")
    x, axes = bound["input"], reduced_axes(bound["dim"], bound["input"].ndim)
    shift = _shift(mode, x, axes)

    def written() -> torch.Tensor:
        total = torch.log(torch.exp(x - shift).sum(axes, keepdim=True)) + shift
        return total if bound["keepdim"] else total.squeeze(axes)

    return mode.on(written)


def _body(call: Call) -> Callable[..., Any]:
    body = body_of(call.func)
    if body is None:
        raise Mixed
    return body
