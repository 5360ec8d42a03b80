"""What a family of changed backward rules is: a mode under which torch's functions are called.

While the mode is on, every torch function that a model calls passes through it: in `nn` modules, in functional calls, in
exported programs. A rule answers in the function's place with the same value and another derivative. Nothing is left on the
model, a reused or functional activation is one call like any other, and what has no rule is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch.overrides import TorchFunctionMode

from explainery.contract.errors import OperationWithoutRule


class Backward(TorchFunctionMode):
    """Base of the families. `options`: the numbers of the question's `Rules`. `where`: the module that computes at the moment.

    `paired`: the batch is instance rows followed by as many reference rows, point by point.
    `relevance`: what flows backwards is relevance: it starts as the score itself, and is the answer as it arrives.
    """

    paired: ClassVar[bool] = False
    relevance: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, Any], where: Callable[[], str] = lambda: "") -> None:
        super().__init__()
        self.options = options
        self.where = where

    def refused(self, function: str, method: str) -> OperationWithoutRule:
        """The error that names an operation, and the module that computes it."""
        place = self.where()
        at = f" in {place}" if place else ""
        return OperationWithoutRule(
            f"{method} has no rule for {function}{at}; use a method that needs none, such as integrated_gradients."
        )
