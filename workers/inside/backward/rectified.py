"""ReLUs with another backward pass, everything else as it is: what guided backpropagation and deconvolution have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch.nn import functional

from workers.inside.backward.affine import batch_norm_numbers
from workers.inside.backward.calls import Call, plain_name
from workers.inside.backward.recurrence import is_packed, rnn_relu
from workers.inside.backward.ruled import Ruled
from workers.inside.frozen_norm import scaled


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, guided: bool) -> torch.Tensor:
        ctx.open = x > 0 if guided else None
        return torch.relu(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        gradient = gradients[0].clamp(min=0)
        return gradient if ctx.open is None else gradient * ctx.open, None


def _relu(mode: Rectifying, call: Call) -> torch.Tensor:
    mode.changed += 1
    answer: torch.Tensor = _Rectified.apply(call.varying[0], mode.guided)  # type: ignore[no-untyped-call]
    return answer


def _clamp(mode: Rectifying, call: Call) -> Any:
    """A bound of zero from below, and none from above, is a ReLU in other words."""
    bounds = call.bound("input", "min", "max")
    low, high = bounds["min"], bounds["max"]
    return _relu(mode, call) if high is None and not isinstance(low, torch.Tensor) and low == 0 else call.run()


def _norm(call: Call) -> Any:
    """A batch normalisation in evaluation, which is cheaper to differentiate than torch does it."""
    bound = call.bound("input", "running_mean", "running_var", "weight", "bias", "training")
    fixed = not bound["training"] and bound["running_var"] is not None
    if not fixed or len(call.varying) != 1 or call.varying[0] is not bound["input"]:
        return call.run()
    return scaled(bound["input"], call.run, batch_norm_numbers(call)[0])


class Rectifying(Ruled):
    """`guided`: whether a gradient also stops where the forward pass did. `changed`: how many ReLUs the pass has met."""

    guided: ClassVar[bool]
    rules = {"relu": _relu, "clamp": _clamp, "clamp_min": _clamp}  # noqa: RUF012  # a class variable of the base, typed there
    parts: ClassVar[Mapping[str, Callable[..., Any]]] = {"rnn_relu": rnn_relu}

    def __init__(self, options: Mapping[str, Any], where: Callable[[], str] = lambda: "") -> None:
        super().__init__(options, where)
        self.changed = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer one call; what is no ReLU is not looked at any closer."""
        name = plain_name(func)
        if name == "batch_norm" and func is functional.batch_norm:
            return _norm(Call(func, args, dict(kwargs or {})))
        if name.removesuffix("_") not in self.rules and name not in self.parts:
            return func(*args, **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs)

    def answer(self, call: Call) -> Any:
        """ReLUs by the rule, all else as torch has it: nothing is refused."""
        changed = call.name in self.rules or (call.name in self.parts and not is_packed(call))
        return super().answer(call) if changed else call.run()
