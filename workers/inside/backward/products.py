"""DeepLIFT's rule for products of two tensors that both vary: the midpoint of the other factor.

    f(a, b) - f(a', b') = f(a - a', (b + b') / 2) + f((a + a') / 2, b - b')

for every f that is linear in each: exact, and each factor has the share that it has on average over both orders of change (the
Shapley value of the two). A square is the product of a tensor with itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from workers.inside.backward.answered import answered
from workers.inside.backward.calls import Call
from workers.inside.backward.halves import Axes, Mixed

Bilinear = Callable[[torch.Tensor, torch.Tensor], Any]


def by_midpoint(axes: Axes, call: Call) -> Any:
    """The product of two varying factors with the rule's derivative. Raises Mixed where it cannot be halved."""
    one, other, product = factors(call)
    value = call.value()
    axis = axes.after(call, value)
    pairs = axes.halves(one), axes.halves(other)
    middles = [((here + there) / 2).detach() for here, there in pairs]
    surrogate = product(pairs[0][0], middles[1]) + product(middles[0], pairs[1][0])
    return answered(lambda: value, surrogate, axis)


def factors(call: Call) -> tuple[torch.Tensor, torch.Tensor, Bilinear]:
    """The two varying factors of a call (which may be one tensor twice), and the call as a function of them. Raises Mixed."""
    places = [place for place in _places(call) if _at(call, place).requires_grad]
    if len(places) != 2:
        raise Mixed
    first, second = places

    def product(one: torch.Tensor, other: torch.Tensor) -> Any:
        return _put(_put(call, first, one), second, other).run()

    return _at(call, first), _at(call, second), product


Place = tuple[Any, ...]
"""The keys that lead to an argument: a position or a name, then a position in a list."""


def _places(call: Call) -> list[Place]:
    found: list[Place] = []
    for key, value in (*enumerate(call.args), *call.kwargs.items()):
        if isinstance(value, torch.Tensor):
            found.append((key,))
        elif isinstance(value, (tuple, list)):
            found += [(key, number) for number, part in enumerate(value) if isinstance(part, torch.Tensor)]
    return found


def _at(call: Call, place: Place) -> torch.Tensor:
    value = call.args[place[0]] if isinstance(place[0], int) else call.kwargs[place[0]]
    found: torch.Tensor = value[place[1]] if len(place) > 1 else value
    return found


def _put(call: Call, place: Place, tensor: torch.Tensor) -> Call:
    key, args, kwargs = place[0], list(call.args), dict(call.kwargs)
    holder: Any = args if isinstance(key, int) else kwargs
    if len(place) > 1:
        parts = list(holder[key])
        parts[place[1]] = tensor
        holder[key] = parts
    else:
        holder[key] = tensor
    return Call(call.func, tuple(args), kwargs)
