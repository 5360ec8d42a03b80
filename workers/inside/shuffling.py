"""A module again with the weights of some layers shuffled: what no shuffle touches is shared with the original.

Each array is permuted as a whole, so that it keeps its distribution and loses what it has learned.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import nn

from workers.draws import generator
from workers.inside.net import Learned

Body = TypeVar("Body", bound=nn.Module)


def weighted(learned: Iterable[Learned]) -> tuple[str, ...]:
    """The layers that have an array that a shuffle would change, in the model's order."""
    return tuple(dict.fromkeys(each.layer for each in learned if _uneven(each.tensor)))


def shuffled(body: Body, learned: Sequence[Learned], layers: Collection[str], seed: int) -> Body:
    """The module with the arrays of `layers` permuted. An array with two names is permuted once."""
    known: dict[int, Any] = {id(tensor): tensor for tensor in chain(body.parameters(), body.buffers())}
    for each in learned:
        if each.layer in layers and known.get(id(each.tensor)) is each.tensor and _uneven(each.tensor):
            known[id(each.tensor)] = _permuted(each, seed)
    return copy.deepcopy(body, known)


def _permuted(each: Learned, seed: int) -> torch.Tensor:
    tensor = each.tensor.detach()
    order = generator(seed, f"shuffle/{each.layer}/{each.name}").permutation(tensor.numel())
    moved = tensor.reshape(-1)[torch.from_numpy(order).to(tensor.device)].reshape(tensor.shape)
    if tensor.ndim == 4:
        moved = moved.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(moved, requires_grad=False) if isinstance(each.tensor, nn.Parameter) else moved


def _uneven(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > 1 and bool((tensor != tensor.reshape(-1)[0]).any())
