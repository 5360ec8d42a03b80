"""A net whose score uses some directions of its first layer, and provably no other."""

from __future__ import annotations

import torch
from torch import nn

WIDTH = 16
USED, IGNORED = 0, 2
"""Elements of `inner`: the score rises with the first, and never sees the second."""


class Planted(nn.Module):
    """h = x; score = tanh(h0 / 2) + tanh(h1 * h3) / 2."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH, bias=False)
        nn.init.eye_(self.inner.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.inner(x)
        return (torch.tanh(h[:, 0] / 2) + torch.tanh(h[:, 1] * h[:, 3]) / 2)[:, None]


def planted() -> nn.Module:
    return Planted()
