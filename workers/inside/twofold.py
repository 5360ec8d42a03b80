"""A second body for a module: the same parameters and buffers, its own hooks, and batch norms that differentiate cheaply."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from workers.inside.frozen_norm import FROZEN


def twofold(module: nn.Module, made: dict[int, nn.Module] | None = None) -> nn.Module:
    """The module and everything inside it again, sharing every tensor: what is hooked here is not hooked there.

    A submodule that has two names is one here, too. One that a module keeps outside its registered children (in a plain list,
    or a bound method) stays the original, which is never tapped.
    """
    made = {} if made is None else made
    if id(module) in made:
        return made[id(module)]
    body: nn.Module = object.__new__(FROZEN.get(type(module), type(module)))
    made[id(module)] = body
    body.__dict__ = dict(module.__dict__)
    for name, value in module.__dict__.items():
        if isinstance(value, dict) and name.startswith("_"):  # tables of its own, of the same tensors
            body.__dict__[name] = value.copy()
    body.__dict__["_forward_hooks"] = OrderedDict(module._forward_hooks)
    body.__dict__["_forward_pre_hooks"] = OrderedDict(module._forward_pre_hooks)
    children = {name: None if child is None else twofold(child, made) for name, child in module._modules.items()}
    body.__dict__["_modules"] = children
    return body
