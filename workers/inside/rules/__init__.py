"""Changed rules of the backward pass: one file per family, found by its name, which a method's question says."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from workers.inside.backward import Backward
from workers.questions import Rules

NAMES = tuple(sorted(entry.name for entry in pkgutil.iter_modules(__path__)))


def backward_of(rules: Rules, where: Callable[[], str]) -> Backward:
    """The mode that changes a pass as `rules` say. `where`: names the module that computes at the moment."""
    if rules.name not in NAMES:
        raise KeyError(rules.name)
    made: Backward = importlib.import_module(f"{__name__}.{rules.name}").Mode(dict(rules.options), where)
    return made
