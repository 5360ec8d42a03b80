"""Which axis of a tensor holds a pass's points, instance rows first and then as many reference rows.

It is the first one, until a function moves it: turned axes, time first, heads folded into rows. A view is asked where it
went (a tensor without memory is sent through it), the rest is known by its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from workers.inside.backward.calls import Call, tensors_in
from workers.inside.backward.kinds import CONVOLUTIONS, ELEMENTWISE, NORMS_BY_NUMBERS, POOLS_OF_MAXIMA
from workers.inside.backward.notes import Notes

VIEWS = frozenset({
    "transpose", "permute", "movedim", "t", "adjoint", "unsqueeze", "squeeze", "expand", "expand_as", "broadcast_to",
    "select", "narrow", "slice", "getitem", "diagonal", "unbind", "unfold",
    "split", "split_with_sizes", "chunk", "tensor_split", "unsafe_chunk", "unsafe_split",
    "T.__get__", "mT.__get__", "H.__get__", "mH.__get__",
})  # fmt: skip
FOLDS = frozenset({"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as", "_unsafe_view", "ravel"})
REDUCTIONS = frozenset({"sum", "mean", "nansum", "amax", "amin", "max", "min", "logsumexp"})


ROWWISE = frozenset({"linear", "contiguous", "clone", "to", "dropout"})
"""Functions of the last axis."""


STILL = ELEMENTWISE | CONVOLUTIONS | NORMS_BY_NUMBERS | POOLS_OF_MAXIMA | {"linear"}
"""Functions that leave every axis where it is."""


class Mixed(Exception):
    """A function brings points of different rows together, or takes them apart."""


class Axes:
    """The axis of points of every tensor that depends on the inputs."""

    def __init__(self) -> None:
        self._moved: Notes[int] = Notes()
        self._merged: Notes[tuple[int, int]] = Notes()
        """Tensors whose points lie within an axis, as rows of time steps do: (the axis, how often all points come in it)."""

    def of(self, tensor: torch.Tensor) -> int:
        """The axis that holds the points. Raises Mixed where it holds them several times over."""
        if len(self._merged) and tensor in self._merged:
            raise Mixed
        return self._moved.get(tensor) or 0

    def note(self, tensor: torch.Tensor, axis: int) -> None:
        """Note where a tensor's points are."""
        if axis:
            self._moved[tensor] = axis
        elif len(self._moved):
            self._moved.forget(tensor)

    def halves(self, tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The tensor at the instances and at the references. Raises Mixed where it cannot be halved."""
        axis = self.of(tensor)
        if tensor.ndim <= axis or tensor.shape[axis] % 2:
            raise Mixed
        half = tensor.shape[axis] // 2
        return tensor.narrow(axis, 0, half), tensor.narrow(axis, half, half)

    def follow(self, call: Call, result: Any) -> None:
        """Note where the points are in what a function answered. Raises Mixed."""
        if call.name in STILL and not len(self._moved) and not len(self._merged):
            return
        outputs = [tensor for tensor in tensors_in(result) if tensor.requires_grad]
        if call.name in FOLDS or (len(self._merged) and any(tensor in self._merged for tensor in call.varying)):
            for output in outputs:
                self._fold(call, output)
            return
        if call.name in VIEWS and not _by_tensors(call):
            tensor = call.varying[0]
            for output, axis in zip(tensors_in(result), _through_view(call, tensor, self.of(tensor)), strict=True):
                self.note(output, axis)
            return
        for output in outputs:
            self.note(output, self.after(call, output))

    def _fold(self, call: Call, output: torch.Tensor) -> None:
        """After a reshape, or another function on merged axes: only those go there that keep each row's elements together."""
        tensor = call.varying[0]
        axis, times = self._merged.get(tensor) or (self._moved.get(tensor) or 0, 1)
        if call.name not in FOLDS:
            if (
                len(call.varying) > 1
                or call.name not in ROWWISE
                or output.shape[:-1] != tensor.shape[:-1]
                or axis == tensor.ndim - 1
            ):
                raise Mixed
        else:
            points = tensor.shape[axis] // times
            axis, times = _folded(math.prod(tensor.shape[:axis]) * times, points, output.shape)
        if times == 1:
            self.note(output, axis)
        else:
            self._merged[output] = (axis, times)

    def after(self, call: Call, output: torch.Tensor) -> int:
        """Where the points are in an output of a function that makes new tensors. Raises Mixed."""
        return (_PLACES.get(call.name) or _as_before)(call, self.of, output)


Where = Callable[[torch.Tensor], int]


def _as_before(call: Call, of: Where, output: torch.Tensor) -> int:
    """Functions that leave axes where they are; missing ones are broadcast in front."""
    axes = {max(output.ndim - tensor.ndim, 0) + of(tensor) for tensor in call.varying}
    if len(axes) != 1:
        raise Mixed
    return axes.pop()


def _through_view(call: Call, tensor: torch.Tensor, axis: int) -> list[int]:
    """Where an axis is after a view: a tensor of its shape that has a stride along that axis alone is sent through."""
    strides = [int(place == axis) for place in range(tensor.ndim)]
    ghost = torch.empty_strided(tensor.shape, strides, device="meta", dtype=tensor.dtype)
    found = []
    for output in tensors_in(call.of({id(tensor): ghost}).run()):
        places = [
            place for place, stride in enumerate(output.stride()) if stride == 1 and output.shape[place] == tensor.shape[axis]
        ]
        if not places:
            raise Mixed
        found.append(places[0])
    return found


def _by_tensors(call: Call) -> bool:
    """Whether elements are picked by tensors or lists of places or of truths."""
    if call.name != "getitem":
        return False
    key = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    return any(isinstance(part, (torch.Tensor, list)) for part in key)


def _folded(before: int, points: int, shape: Sequence[int]) -> tuple[int, int]:
    """The axis of a new shape in which points lie that come once for each of `before` places, and how often they come in it."""
    passed = 1
    for place, size in enumerate(shape):
        if before % passed:
            break
        times = before // passed
        own = size // times
        if size > 1 and size % (2 * times) == 0 and (own % points == 0 or points % own == 0):
            return place, times
        passed *= size
    raise Mixed


def _after_reduction(call: Call, of: Where, output: torch.Tensor) -> int:
    tensor = call.varying[0]
    bound = call.bound("input", "dim", "keepdim")
    if isinstance(bound["dim"], torch.Tensor) or "other" in call.kwargs:
        return _as_before(call, of, output)
    axes, axis = reduced_axes(bound["dim"], tensor.ndim), of(tensor)
    if axis in axes:
        raise Mixed
    return axis if output.ndim == tensor.ndim else axis - sum(other < axis for other in axes)


def reduced_axes(dim: Any, rank: int) -> tuple[int, ...]:
    """The axes of a `dim` argument, all of them where there is none."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(rank))
    return tuple(one % rank for one in (dim if isinstance(dim, (tuple, list)) else (dim,)))


def _after_stack(call: Call, of: Where, output: torch.Tensor) -> int:
    axis = of(call.varying[0])
    dim = (call.bound("tensors", "dim")["dim"] or 0) % output.ndim
    return axis + (dim <= axis)


def _after_cat(call: Call, of: Where, output: torch.Tensor) -> int:
    axis = _as_before(call, of, output)
    if (call.bound("tensors", "dim")["dim"] or 0) % output.ndim == axis:
        raise Mixed
    return axis


def _after_product(call: Call, of: Where, output: torch.Tensor) -> int:
    """Rows of the first factor stay rows; an axis that is summed over is gone."""
    first, second = (call.args[1], call.args[0]) if call.name == "rmatmul" else call.args[:2]
    places = set()
    for tensor, gone in ((first, first.ndim - 1), (second, max(second.ndim - 2, 0))):
        if tensor.requires_grad:
            if of(tensor) == gone:
                raise Mixed
            # a vector on the other side takes an axis with it
            places.add(output.ndim - (tensor.ndim - of(tensor)) + (second.ndim == 1 and tensor is first))
    if len(places) != 1:
        raise Mixed
    return int(places.pop())


def _after_einsum(call: Call, of: Where, output: torch.Tensor) -> int:
    equation = call.args[0].replace(" ", "")
    operands = call.args[1] if isinstance(call.args[1], (tuple, list)) else call.args[1:]
    inputs, arrow, wanted = equation.partition("->")
    if not arrow or "." in equation:
        raise Mixed
    letters = {term[of(tensor)] for term, tensor in zip(inputs.split(","), operands, strict=True) if tensor.requires_grad}
    if len(letters) != 1 or (letter := letters.pop()) not in wanted:
        raise Mixed
    return int(wanted.index(letter))


def _still(call: Call, of: Where, output: torch.Tensor) -> int:
    """Along one axis only, which must not be the points' own."""
    tensor = call.varying[0]
    axis = of(tensor)
    dims = call.bound("input", "dims", "dim")
    moved = dims["dims"] if dims["dims"] is not None else dims["dim"]
    if moved is None or axis in reduced_axes(moved, tensor.ndim):
        raise Mixed
    return axis


def _rolled(call: Call, of: Where, output: torch.Tensor) -> int:
    tensor = call.varying[0]
    dims = call.bound("input", "shifts", "dims")["dims"]
    if dims is None or of(tensor) in reduced_axes(dims, tensor.ndim):
        raise Mixed
    return of(tensor)


def _same_size(call: Call, of: Where, output: torch.Tensor) -> int:
    """Functions that might touch any axis: the points' own must be as long as before."""
    tensor = call.varying[0]
    axis = of(tensor) + output.ndim - tensor.ndim
    if axis < 0 or output.shape[axis] != tensor.shape[of(tensor)]:
        raise Mixed
    return axis


def _picked(call: Call, of: Where, output: torch.Tensor) -> int:
    """Picked by tensors: the points come first, and all of them are taken."""
    key = call.args[1]
    whole = isinstance(key, (tuple, list)) and bool(key) and (key[0] is None or key[0] is Ellipsis or key[0] == slice(None))
    if not whole or of(call.varying[0]) or (key[0] is None and call.name == "getitem"):
        raise Mixed
    return _same_size(call, of, output) if output.ndim == call.varying[0].ndim else 0


def _along(call: Call, of: Where, output: torch.Tensor) -> int:
    """Functions whose second argument is the axis they work along."""
    tensor = call.varying[0]
    dim = call.bound("input", "dim")["dim"]
    if not isinstance(dim, int) or dim % tensor.ndim == of(tensor):
        raise Mixed
    return of(tensor)


_PLACES: dict[str, Callable[[Call, Where, torch.Tensor], int]] = {
    **dict.fromkeys(REDUCTIONS, _after_reduction),
    "stack": _after_stack, "cat": _after_cat, "flip": _still, "roll": _rolled, "cumsum": _along, "diff": _same_size,
    "matmul": _after_product, "mm": _after_product, "bmm": _after_product, "mv": _after_product, "rmatmul": _after_product,
    "einsum": _after_einsum, "repeat": _same_size, "tile": _same_size, "repeat_interleave": _same_size, "pad": _same_size,
    "constant_pad_nd": _same_size, "getitem": _picked, "index": _picked, "index_select": _along, "gather": _along,
}  # fmt: skip
