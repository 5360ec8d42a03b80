"""How a mode of changed rules takes a call: by its rule, by its parts, as it is, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from workers.inside.backward import Backward
from workers.inside.backward.bodies import body_of
from workers.inside.backward.calls import Call, tensors_in
from workers.inside.backward.recurrence import is_packed

Rule = Callable[[Any, Call], Any]
"""(the mode, the call) -> the function's own value with the family's derivative."""


class Ruled(Backward):
    """A family by tables of plain names.

    `rules`: answered in the family's own way. `plain`: torch's own derivative is the family's. `parts`: functions that are
    written out in others, which meet the mode one by one; so do those that torch writes in Python. The rest is refused,
    unless what it answers has no derivative anyway.
    """

    method: ClassVar[str]
    rules: ClassVar[Mapping[str, Rule]]
    plain: ClassVar[frozenset[str]] = frozenset()
    parts: ClassVar[Mapping[str, Callable[..., Any]]] = {}

    def __init__(self, options: Mapping[str, Any], where: Callable[[], str] = lambda: "") -> None:
        super().__init__(options, where)
        self._open: list[Callable[..., Any]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer one call. The mode is off in here, but for `parts`."""
        call = Call(func, args, dict(kwargs or {}))
        if not call.varying or (call.name.endswith("__") and call.name not in self.rules and call.name not in self.plain):
            return call.run()
        if not torch.is_grad_enabled():
            return self.constant(call)
        if call.in_place and call.name[:-1] in self.rules:
            return self._written(call)
        return self.answer(call)

    def answer(self, call: Call) -> Any:
        """The answer to a call of which some tensor depends on the inputs. Raises OperationWithoutRule."""
        if call.name in self.rules:
            return self.followed(call, self.rules[call.name](self, call))
        if call.name in self.plain or (call.in_place and call.name[:-1] in self.plain):
            return self.followed(call, call.run())
        if is_packed(call):
            raise self.refused(f"{call.name} of a packed sequence", self.method)
        whole = body_of(call.func) if call.python else self.parts.get(call.name)
        if whole is None or whole in self._open:  # a body that hands itself over again has asked for the mode in other words
            return self.unknown(call)
        self._open.append(whole)
        try:
            return self.on(whole, *call.args, **call.kwargs)
        finally:
            self._open.remove(whole)

    def on(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A function whose calls meet the mode."""
        with self:
            return function(*args, **kwargs)

    def unknown(self, call: Call) -> Any:
        """What no table has: refused, unless its answer has no derivative (a shape, a comparison, a place)."""
        if not call.in_place:
            result = call.run()
            if not any(tensor.requires_grad for tensor in tensors_in(result)):
                return result
        raise self.refused(call.name, self.method)

    def constant(self, call: Call) -> Any:
        """A call that the model makes without gradients: what comes out counts as a number, as it does for every gradient."""
        return call.run()

    def followed(self, call: Call, result: Any) -> Any:
        """Called with each answer that is not made of parts: for families that keep account of tensors."""
        return result

    def _written(self, call: Call) -> Any:
        """A call in place: computed apart, then written, so that everybody else who reads the tensor sees it."""
        target = call.args[0] if call.args else call.kwargs["input"]
        answer = self.answer(call.out_of_place())
        target.copy_(answer)
        self.wrote(target, answer)
        return target

    def wrote(self, target: torch.Tensor, answer: torch.Tensor) -> None:
        """Called when an answer was written into a tensor."""
