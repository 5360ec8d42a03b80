"""DeepLIFT through maxima: pools, and the largest or smallest over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from workers.inside.backward import written_out
from workers.inside.backward.calls import Call
from workers.inside.backward.extremes import of_winners
from workers.inside.backward.halves import Mixed, reduced_axes
from workers.inside.backward.paired import Paired

POOLS: Mapping[int, Callable[..., Any]] = {
    1: torch.nn.functional.max_pool1d, 2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d
}  # fmt: skip
ADAPTIVE_POOLS: Mapping[int, Callable[..., Any]] = {
    1: torch.nn.functional.adaptive_max_pool1d,
    2: torch.nn.functional.adaptive_max_pool2d,
    3: torch.nn.functional.adaptive_max_pool3d,
}


def pool(mode: Paired, call: Call) -> Any:
    """A maximum over windows, with its places where they are asked for."""
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


def maximum_over(mode: Paired, call: Call) -> Any:
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


def minimum_over(mode: Paired, call: Call) -> Any:
    """`amin` over axes; `min` over one, with the places, or of two tensors."""
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
