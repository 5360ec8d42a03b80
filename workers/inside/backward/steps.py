"""DeepLIFT through elementwise functions, products and quotients, layers, and choices by masks or places."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from workers.inside.backward import kinds, written_out
from workers.inside.backward.affine import batch_norm_numbers
from workers.inside.backward.calls import Call
from workers.inside.backward.halves import Mixed
from workers.inside.backward.paired import Paired
from workers.inside.backward.products import by_midpoint
from workers.inside.backward.rescale import rescaled
from workers.inside.frozen_norm import scaled


def elementwise(mode: Paired, call: Call) -> Any:
    """A function of one varying number, by the Rescale rule."""
    if len(call.varying) != 1:
        raise Mixed
    (x,) = call.varying
    shape = (
        x.shape if call.name in kinds.ACTIVATIONS else torch.Size(np.broadcast_shapes(*(each.shape for each in call.tensors)))
    )
    if x.shape != shape:
        wide = mode.on(torch.broadcast_to, x, shape)
        return elementwise(mode, call.of({id(x): wide}))
    mode.check_steady(call, mode.axes.of(x), x.ndim)
    return rescaled(mode.axes, call, x)


def product(mode: Paired, call: Call) -> Any:
    """Two varying factors by their midpoint; with one, torch's own derivative."""
    if sum(tensor.requires_grad for tensor in call.tensors) == 2:
        return by_midpoint(mode.axes, call)
    return linear(mode, call)


def linear(mode: Paired, call: Call) -> Any:
    """Torch's own derivative, once the numbers in it are the same for both halves."""
    result = call.run()
    if call.name not in ("matmul", "mm", "mv", "bmm", "rmatmul", "einsum", "dot", "inner", "outer"):
        mode.check_steady(call, mode.axes.after(call, result), result.ndim)
    return result


def quotient(mode: Paired, call: Call) -> Any:
    """A varying divisor counts by its reciprocal."""
    bound = call.bound("input", "other", "rounding_mode")
    one, other = (bound["other"], bound["input"]) if call.name == "rdiv" else (bound["input"], bound["other"])
    if bound["rounding_mode"] is not None or (isinstance(other, torch.Tensor) and other.requires_grad):
        return mode.on(written_out.div, one, other, rounding_mode=bound["rounding_mode"])
    return linear(mode, call)


def power(mode: Paired, call: Call) -> Any:
    """Where base and exponent vary, by exponential and logarithm."""
    return mode.on(written_out.power, *call.args[:2]) if len(call.varying) == 2 else elementwise(mode, call)


def larger(mode: Paired, call: Call) -> Any:
    """The larger of two."""
    return mode.on(written_out.maximum, *call.args[:2])


def smaller(mode: Paired, call: Call) -> Any:
    """The smaller of two."""
    return mode.on(written_out.minimum, *call.args[:2])


def logaddexp(mode: Paired, call: Call) -> Any:
    """The logarithm of a sum of two exponentials."""
    if len(call.varying) == 1:
        return elementwise(mode, call)
    one, other = call.args[:2]
    return mode.on(lambda: one + torch.nn.functional.softplus(other - one))


def layer(mode: Paired, call: Call) -> Any:
    """A layer's weights must not vary."""
    if len(call.varying) != 1 or not call.args[0].requires_grad:
        raise mode.refused(f"{call.name} with computed weights", mode.method)
    return call.run()


def batch_norm(mode: Paired, call: Call) -> Any:
    """By running statistics only."""
    if any(flag is True for flag in (*call.args[5:6], call.kwargs.get("training"))):
        raise mode.refused("batch_norm in training mode", mode.method)
    if call.name != "batch_norm" or len(call.varying) != 1:
        return layer(mode, call)
    return scaled(call.varying[0], call.run, batch_norm_numbers(call)[0])


def dropout(mode: Paired, call: Call) -> Any:
    """Nothing, in evaluation mode."""
    if any(flag is True for flag in (*call.args[2:3], call.kwargs.get("train"), call.kwargs.get("training"))):
        raise mode.refused("dropout in training mode", mode.method)
    return call.run()


def chosen(mode: Paired, call: Call) -> Any:
    """By a mask, or by places: they must be the same for both halves."""
    x = call.varying[0]
    result = call.run()
    if call.name == "where" and len(call.args) == 3:
        mode.check_steady(call, mode.axes.after(call, result), result.ndim)
    else:
        mode.check_steady(call, mode.axes.of(x), x.ndim)
    return result


def written(mode: Paired, call: Call) -> Any:
    """Writing into a part: the places must be the same for both halves."""
    target = call.args[0]
    if call.varying[0] is not target or not target.requires_grad:
        for tensor in call.varying:
            mode.axes.note(target, mode.axes.of(tensor) if tensor.ndim == target.ndim else 0)
    mode.check_steady(call, mode.axes.of(target), target.ndim, but=target)
    return call.run()
