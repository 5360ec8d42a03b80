"""One call of a torch function as a mode sees it: its plain name, its tensors, and the same call on other tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch
from torch._ops import OpOverload, OpOverloadPacket

OPERATORS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add_",
    "__sub__": "sub", "__isub__": "sub_", "__rsub__": "rsub",
    "__mul__": "mul", "__rmul__": "mul", "__imul__": "mul_",
    "__truediv__": "div", "__itruediv__": "div_", "__rtruediv__": "rdiv",
    "__div__": "div", "__idiv__": "div_", "__rdiv__": "rdiv",
    "__pow__": "pow", "__rpow__": "rpow", "__ipow__": "pow_",
    "__matmul__": "matmul", "__rmatmul__": "rmatmul",
    "__neg__": "neg", "__pos__": "positive", "__abs__": "abs",
    "__getitem__": "getitem", "__setitem__": "setitem_",
}  # fmt: skip
ALIASES = {
    "multiply": "mul", "subtract": "sub", "divide": "div", "true_divide": "div", "negative": "neg", "absolute": "abs",
    "concat": "cat", "concatenate": "cat", "clip": "clamp", "special_expit": "sigmoid", "special_softmax": "softmax",
    "_softmax": "softmax", "_log_softmax": "log_softmax", "special_log_softmax": "log_softmax", "log_sigmoid": "logsigmoid",
    "special_logsumexp": "logsumexp", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "arctanh": "atanh",
    "swapaxes": "transpose", "swapdims": "transpose", "moveaxis": "movedim", "special_erf": "erf",
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d", "_adaptive_avg_pool3d": "adaptive_avg_pool3d",
    "_native_batch_norm_legit_no_training": "native_batch_norm",
}  # fmt: skip
"""Functions that do the same under several names."""


class Call:
    """`func(*args, **kwargs)`, and the function's plain name: `relu` for all spellings, `relu_` for those in place.

    A plain class: one is made for every function that a model calls.
    """

    __slots__ = ("_varying", "args", "func", "kwargs", "name")

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        name = plain_name(func)
        self.name = name + "_" if kwargs.get("inplace") and isinstance(func, FunctionType) else name
        self._varying: tuple[torch.Tensor, ...] | None = None

    @property
    def in_place(self) -> bool:
        """Whether the first tensor is written to."""
        return self.name.endswith("_") and not self.name.endswith("__")

    @property
    def python(self) -> bool:
        """Whether the function is written in Python, over other torch functions."""
        return isinstance(self.func, FunctionType)

    @property
    def tensors(self) -> Iterator[torch.Tensor]:
        """Every tensor among the arguments, those in lists too."""
        return tensors_in((self.args, self.kwargs))

    @property
    def varying(self) -> tuple[torch.Tensor, ...]:
        """The tensors that depend on the inputs, each once: parameters are frozen, so they are those with a gradient."""
        if self._varying is None:
            self._varying = tuple({id(tensor): tensor for tensor in self.tensors if tensor.requires_grad}.values())
        return self._varying

    def run(self) -> Any:
        """What the function itself answers."""
        return self.func(*self.args, **self.kwargs)

    def value(self) -> Any:
        """What it answers, without a graph."""
        with torch.no_grad():
            return self.run()

    def of(self, tensors: Mapping[int, torch.Tensor]) -> Call:
        """The same call with some tensors replaced; keys are the ids of those that leave."""
        return Call(self.func, replaced(self.args, tensors), replaced(self.kwargs, tensors))

    def out_of_place(self) -> Call:
        """The call that answers what this one writes."""
        base = self.name[:-1]
        if self.python:
            return Call(self.func, self.args, {**self.kwargs, "inplace": False})
        return Call(_fresh(self.func, base), self.args, self.kwargs)

    def bound(self, *names: str) -> dict[str, Any]:
        """The arguments by name, for a function whose first parameters are called so; None where one is left out."""
        found: dict[str, Any] = dict.fromkeys(names)
        found.update(zip(names, self.args, strict=False))
        found.update({name: value for name, value in self.kwargs.items() if name in found})
        if found.get(names[0]) is None and "self" in self.kwargs:  # exported programs call the first argument so
            found[names[0]] = self.kwargs["self"]
        return found


@lru_cache(maxsize=4096)
def plain_name(func: Callable[..., Any]) -> str:
    """The name without module, overload or spelling; `shape.__get__` for a property."""
    if isinstance(func, OpOverload):
        name = func._schema.name.rpartition("::")[2]
    elif isinstance(func, OpOverloadPacket):
        name = str(func).rpartition(".")[2]
    else:
        name = getattr(func, "__name__", type(func).__name__)
    if name in ("__get__", "__set__", "__delete__"):
        return f"{getattr(getattr(func, '__self__', None), '__name__', '')}.{name}"
    name = OPERATORS.get(name, name)
    return ALIASES.get(name, name)


def tensors_in(thing: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested tuples, lists and mappings."""
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for part in thing:
            yield from tensors_in(part)
    elif isinstance(thing, dict):
        for part in thing.values():
            yield from tensors_in(part)


def replaced(thing: Any, tensors: Mapping[int, torch.Tensor]) -> Any:
    """The same nested tuples, lists and mappings with some tensors replaced."""
    if isinstance(thing, torch.Tensor):
        return tensors.get(id(thing), thing)
    if isinstance(thing, (tuple, list)) and not isinstance(thing, torch.Size):
        return type(thing)(replaced(part, tensors) for part in thing)
    if isinstance(thing, dict):
        return {key: replaced(part, tensors) for key, part in thing.items()}
    return thing


@lru_cache(maxsize=1024)
def _fresh(func: Callable[..., Any], base: str) -> Callable[..., Any]:
    """The function that answers what an in-place one writes."""
    if isinstance(func, OpOverload):
        packet = getattr(torch.ops.aten, base)
        found: Callable[..., Any] = getattr(packet, func._overloadname)
        return found
    for place in (torch.Tensor, torch, torch._C._nn, torch.nn.functional):
        if hasattr(place, base):
            return getattr(place, base)  # type: ignore[no-any-return]
    raise AttributeError(base)
