"""DeepLIFT with the Rescale rule: multipliers (f(x) - f(b)) / (x - b) through every function that is not linear.

Shrikumar, Greenside & Kundaje, Learning Important Features Through Propagating Activation Differences, ICML 2017. The batch is n
instance rows followed by n reference rows. A multiplier flows backwards in the instance half alone; what reaches the reference half is
never read. Multiplied with x - b, the multipliers sum to f(x) - f(b): elementwise functions by the Rescale rule, products of two
varying tensors by their midpoint, maxima by their winners, softmax, normalisations, attention and recurrent layers written out in
these. So transformers and recurrent nets are explained completely too. What has no rule is refused by name, and so is what
makes numbers out of the inputs that no derivative sees (masks, places, detached tensors) where they differ between the two halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from workers.inside import kinds, recurrence, written_out
from workers.inside.bodies import body_of
from workers.inside.calls import Call, tensors_in
from workers.inside.extremes import of_winners
from workers.inside.halves import Axes, Mixed, reduced_axes
from workers.inside.products import by_midpoint
from workers.inside.rescale import rescaled
from workers.inside.ruled import Rule, Ruled

FAR = 40.0
"""Scores whose maxima are farther apart than this are not brought down by one number for both halves: exp would underflow."""
POOLS: Mapping[int, Callable[..., Any]] = {
    1: torch.nn.functional.max_pool1d, 2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d
}  # fmt: skip
ADAPTIVE_POOLS: Mapping[int, Callable[..., Any]] = {
    1: torch.nn.functional.adaptive_max_pool1d,
    2: torch.nn.functional.adaptive_max_pool2d,
    3: torch.nn.functional.adaptive_max_pool3d,
}


def _elementwise(mode: Mode, call: Call) -> Any:
    if len(call.varying) != 1:
        raise Mixed
    (x,) = call.varying
    shapes = [tensor.shape for tensor in call.tensors]
    shape = torch.broadcast_shapes(*shapes) if call.name not in kinds.ACTIVATIONS else x.shape
    if x.shape != shape:
        wide = mode.on(torch.broadcast_to, x, shape)
        return _elementwise(mode, call.of({id(x): wide}))
    mode.check_steady(call, mode.axes.of(x), x.ndim)
    return rescaled(mode.axes, call, x)


def _product(mode: Mode, call: Call) -> Any:
    if sum(tensor.requires_grad for tensor in call.tensors) == 2:
        return by_midpoint(mode.axes, call)
    return _linear(mode, call)


def _linear(mode: Mode, call: Call) -> Any:
    """Torch's own derivative, once the numbers in it are the same for both halves."""
    result = call.run()
    if call.name not in ("matmul", "mm", "mv", "bmm", "rmatmul", "einsum", "dot", "inner", "outer"):
        mode.check_steady(call, mode.axes.after(call, result), result.ndim)
    return result


def _quotient(mode: Mode, call: Call) -> Any:
    bound = call.bound("input", "other", "rounding_mode")
    one, other = (bound["other"], bound["input"]) if call.name == "rdiv" else (bound["input"], bound["other"])
    if bound["rounding_mode"] is not None or (isinstance(other, torch.Tensor) and other.requires_grad):
        return mode.on(written_out.div, one, other, rounding_mode=bound["rounding_mode"])
    return _linear(mode, call)


def _power(mode: Mode, call: Call) -> Any:
    return mode.on(written_out.power, *call.args[:2]) if len(call.varying) == 2 else _elementwise(mode, call)


def _larger(mode: Mode, call: Call) -> Any:
    return mode.on(written_out.maximum, *call.args[:2])


def _smaller(mode: Mode, call: Call) -> Any:
    return mode.on(written_out.minimum, *call.args[:2])


def _layer(mode: Mode, call: Call) -> Any:
    """A layer's weights must not vary."""
    if len(call.varying) != 1 or not call.args[0].requires_grad:
        raise mode.refused(f"{call.name} with computed weights", mode.method)
    return call.run()


def _batch_norm(mode: Mode, call: Call) -> Any:
    if any(flag is True for flag in (*call.args[5:6], call.kwargs.get("training"))):
        raise mode.refused("batch_norm in training mode", mode.method)
    return _layer(mode, call)


def _dropout(mode: Mode, call: Call) -> Any:
    if any(flag is True for flag in (*call.args[2:3], call.kwargs.get("train"), call.kwargs.get("training"))):
        raise mode.refused("dropout in training mode", mode.method)
    return call.run()


def _chosen(mode: Mode, call: Call) -> Any:
    """By a mask, or by places: they must be the same for both halves."""
    x = call.varying[0]
    result = call.run()
    if call.name == "where" and len(call.args) == 3:
        mode.check_steady(call, mode.axes.after(call, result), result.ndim)
    else:
        mode.check_steady(call, mode.axes.of(x), x.ndim)
    return result


def _written(mode: Mode, call: Call) -> Any:
    """Writing into a part: the places must be the same for both halves."""
    target = call.args[0]
    if call.varying[0] is not target or not target.requires_grad:
        for tensor in call.varying:
            mode.axes.note(target, mode.axes.of(tensor) if tensor.ndim == target.ndim else 0)
    mode.check_steady(call, mode.axes.of(target), target.ndim, but=target)
    return call.run()


def _pool(mode: Mode, call: Call) -> Any:
    adaptive = call.name.startswith("adaptive")
    rank = int(call.name.partition("pool")[2][0])
    x = call.varying[0]
    names = ("input", "output_size") if adaptive else ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
    given = {name: value for name, value in call.bound(*names).items() if value is not None and name != "input"}
    if given.get("stride") in ((), []):
        del given["stride"]
    with torch.no_grad():
        value, places = (ADAPTIVE_POOLS if adaptive else POOLS)[rank](x, **given, return_indices=True)
    found = of_winners(value, x.flatten(-rank), places.flatten(-rank), mode.axes.of(x))
    wants = "_with_indices" in call.name or call.kwargs.get("return_indices") is True
    return (found, places) if wants else found


def _maximum_over(mode: Mode, call: Call) -> Any:
    """`amax` over axes; `max` over one, with the places, or of two tensors."""
    bound = call.bound("input", "dim", "keepdim")
    x, dim, keep = bound["input"], bound["dim"], bool(bound["keepdim"])
    if isinstance(dim, torch.Tensor) or "other" in call.kwargs:
        return mode.on(written_out.maximum, x, call.kwargs.get("other", dim))
    axes = reduced_axes(dim, x.ndim)
    axis = mode.axes.of(x)
    if axis in axes:
        raise Mixed
    rest = [place for place in range(x.ndim) if place not in axes]
    candidates = x.permute(*rest, *axes).flatten(len(rest))
    places = candidates.argmax(-1, keepdim=True)
    values = candidates.detach().gather(-1, places).squeeze(-1)
    found = of_winners(values, candidates, places, rest.index(axis))
    kept = [1 if place in axes else size for place, size in enumerate(x.shape)]
    found = found.reshape(kept) if keep else found
    mode.axes.note(found, axis if keep else rest.index(axis))
    if call.name == "amax":
        return found
    return torch.return_types.max((found, places.reshape(kept) if keep else places.squeeze(-1)))


def _minimum_over(mode: Mode, call: Call) -> Any:
    bound = call.bound("input", "dim", "keepdim")
    x, dim, keep = bound["input"], bound["dim"], bool(bound["keepdim"])
    if isinstance(dim, torch.Tensor) or "other" in call.kwargs:
        return mode.on(written_out.minimum, x, call.kwargs.get("other", dim))
    if call.name == "amin":
        return mode.on(lambda: -torch.amax(-x, () if dim is None else dim, keep))
    if dim is None:
        raise Mixed
    values, places = mode.on(lambda: torch.max(-x, dim, keep))
    return torch.return_types.min((mode.on(torch.neg, values), places))


def _shift(mode: Mode, x: torch.Tensor, dim: Any) -> torch.Tensor:
    """What scores are brought down by before exp: one number for both halves of a row, or its own maximum where they are far apart."""
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
    return mode.on(lambda: torch.where(torch.cat([far, far], axis), torch.amax(x, dim, True), common))  # type: ignore[no-any-return]


def _softmax(mode: Mode, call: Call) -> Any:
    if call.python:
        return mode.on(_body(call), *call.args, **call.kwargs)
    x, dim = (call.bound("input", "dim")[name] for name in ("input", "dim"))
    shift = _shift(mode, x, dim)

    def softmax() -> torch.Tensor:
        raised = torch.exp(x - shift)
        return raised * torch.reciprocal(raised.sum(dim, keepdim=True))

    return mode.on(softmax)


def _log_softmax(mode: Mode, call: Call) -> Any:
    if call.python:
        return mode.on(_body(call), *call.args, **call.kwargs)
    x, dim = (call.bound("input", "dim")[name] for name in ("input", "dim"))
    shift = _shift(mode, x, dim)

    def log_softmax() -> torch.Tensor:
        down = x - shift
        return down - torch.log(torch.exp(down).sum(dim, keepdim=True))

    return mode.on(log_softmax)


def _logsumexp(mode: Mode, call: Call) -> Any:
    bound = call.bound("input", "dim", "keepdim")
    x, axes = bound["input"], reduced_axes(bound["dim"], bound["input"].ndim)
    shift = _shift(mode, x, axes)

    def logsumexp() -> torch.Tensor:
        total = torch.log(torch.exp(x - shift).sum(axes, keepdim=True)) + shift
        return total if bound["keepdim"] else total.squeeze(axes)

    return mode.on(logsumexp)


def _logaddexp(mode: Mode, call: Call) -> Any:
    if len(call.varying) == 1:
        return _elementwise(mode, call)
    one, other = call.args[:2]
    return mode.on(lambda: one + torch.nn.functional.softplus(other - one))


def _detached(mode: Mode, call: Call) -> Any:
    return mode.constant(call)


def _body(call: Call) -> Callable[..., Any]:
    body = body_of(call.func)
    if body is None:
        raise Mixed
    return body


_WRITING = ("setitem_", "index_put_", "scatter_", "index_fill_", "masked_scatter_", "index_copy_", "copy_")


class Mode(Ruled):
    """See the file's text. Raises OperationWithoutRule where the model does what has no rule."""

    method = "deep_lift"
    paired = True
    rules: ClassVar[Mapping[str, Rule]] = {
        **dict.fromkeys(kinds.ELEMENTWISE, _elementwise),
        **dict.fromkeys(kinds.PRODUCTS, _product),
        **dict.fromkeys(("add", "sub", "rsub"), _linear),
        **dict.fromkeys(kinds.CONVOLUTIONS | {"linear"}, _layer),
        **dict.fromkeys(kinds.NORMS_BY_NUMBERS, _batch_norm),
        **dict.fromkeys(kinds.DROPOUTS, _dropout),
        **dict.fromkeys(kinds.POOLS_OF_MAXIMA, _pool),
        **dict.fromkeys(
            ("where", "masked_fill", "gather", "getitem", "index", "index_select", "take_along_dim", "lerp"), _chosen
        ),
        **dict.fromkeys(_WRITING, _written),
        "div": _quotient,
        "rdiv": _quotient,
        "pow": _power,
        "float_power": _power,
        "maximum": _larger,
        "fmax": _larger,
        "minimum": _smaller,
        "fmin": _smaller,
        "amax": _maximum_over,
        "max": _maximum_over,
        "amin": _minimum_over,
        "min": _minimum_over,
        "softmax": _softmax,
        "log_softmax": _log_softmax,
        "logsumexp": _logsumexp,
        "logaddexp": _logaddexp,
        "detach": _detached,
        "data.__get__": _detached,
    }
    plain = kinds.MOVES | kinds.SUMS | kinds.PROPERTIES | {"neg"}
    parts: ClassVar[Mapping[str, Callable[..., Any]]] = {
        **written_out.PARTS,
        **{name: getattr(recurrence, name) for name in recurrence.KERNELS},
    }

    def __init__(self, options: Mapping[str, Any], where: Callable[[], str] = lambda: "") -> None:
        super().__init__(options, where)
        self.axes = Axes()

    def answer(self, call: Call) -> Any:
        """As every family does; and a function that brings rows together is refused by name."""
        try:
            return super().answer(call)
        except Mixed:
            raise self.refused(f"{call.name} over several rows or several varying arguments", self.method) from None

    def followed(self, call: Call, result: Any) -> Any:
        """Note where the points are in a new tensor."""
        if call.name not in _WRITING:
            self.axes.follow(call, result)
        return result

    def wrote(self, target: torch.Tensor, answer: torch.Tensor) -> None:
        """A tensor that was written to has its points where the answer has them."""
        self.axes.note(target, self.axes.of(answer))

    def constant(self, call: Call) -> Any:
        """Numbers that no derivative sees must be the same for both halves."""
        result = call.run()
        axis = self.axes.of(call.varying[0])
        for tensor in tensors_in(result):
            if tensor.is_floating_point() and not _same_halves(tensor, axis):
                raise self.refused(f"{call.name} without a derivative", self.method)
        return result

    def check_steady(self, call: Call, axis: int, rank: int, but: torch.Tensor | None = None) -> None:
        """Raise OperationWithoutRule where a number in the call differs between instance and reference, and so hides a dependence."""
        for tensor in call.tensors:
            if tensor.requires_grad or tensor is but:
                continue
            own = axis - (rank - tensor.ndim) if tensor.ndim < rank else axis
            if not _same_halves(tensor, own):
                raise self.refused(
                    f"{call.name} with a mask or number that differs between instance and reference", self.method
                )


def _same_halves(tensor: torch.Tensor, axis: int) -> bool:
    if axis < 0 or tensor.ndim <= axis or tensor.shape[axis] < 2 or tensor.shape[axis] % 2:
        return True
    half = tensor.shape[axis] // 2
    here, there = tensor.narrow(axis, 0, half), tensor.narrow(axis, half, half)
    return bool(((here == there) | ((here != here) & (there != there))).all())
