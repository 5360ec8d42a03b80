"""A mode over instance rows followed by as many reference rows: the axis they are in, and what must be equal in both halves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from workers.inside.backward.calls import Call, tensors_in
from workers.inside.backward.halves import Axes, Mixed
from workers.inside.backward.ruled import Ruled

WRITING = frozenset({
    "setitem_", "index_put_", "scatter_", "index_fill_", "masked_scatter_", "index_copy_", "copy_",
})  # fmt: skip
"""Functions that write into a part of a tensor."""


class Paired(Ruled):
    """Base of families that compare. Raises OperationWithoutRule where rows are mixed, or a dependence is hidden."""

    paired = True

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
        if call.name not in WRITING:
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
            if tensor.is_floating_point() and not same_halves(tensor, axis):
                raise self.refused(f"{call.name} without a derivative", self.method)
        return result

    def check_steady(self, call: Call, axis: int, rank: int, but: torch.Tensor | None = None) -> None:
        """Raise OperationWithoutRule where a number in the call differs between the halves, and so hides a dependence."""
        for tensor in call.tensors:
            if tensor.requires_grad or tensor is but:
                continue
            own = axis - (rank - tensor.ndim) if tensor.ndim < rank else axis
            if not same_halves(tensor, own):
                raise self.refused(
                    f"{call.name} with a mask or number that differs between instance and reference", self.method
                )


def same_halves(tensor: torch.Tensor, axis: int) -> bool:
    """Whether a tensor is the same at instances and references, or has no such halves along the axis."""
    if axis < 0 or tensor.ndim <= axis or tensor.shape[axis] < 2 or tensor.shape[axis] % 2:
        return True
    half = tensor.shape[axis] // 2
    here, there = tensor.narrow(axis, 0, half), tensor.narrow(axis, half, half)
    return bool(((here == there) | ((here != here) & (there != there))).all())
