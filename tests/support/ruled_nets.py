"""Nets for changed backward rules: one computation in several spellings, and captum's nets rewritten for one input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name
from under_rules import frozen

Run = Callable[[torch.Tensor], torch.Tensor]


class Copy(nn.Module):
    """The same numbers in another tensor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()


def copied_before_pools(net: nn.Sequential) -> nn.Sequential:
    """The same net with a copy before each pool.

    captum loses a max pool's rule where the pool reads the very tensor that a hooked activation puts out: the activation's hook
    has read the gradient before the pool's hook changes it. Its own convergence delta shows it (see `test_deep_lift.py`).
    """
    return nn.Sequential(*[step for part in net for step in ((Copy(), part) if isinstance(part, nn.MaxPool2d) else (part,))])


class Sum(nn.Module):
    """Two branches, as captum's LRP wants their sum: a module of its own."""

    def __init__(self, width: int, add: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.relu1, self.relu2, self.add, self.mean = nn.ReLU(), nn.ReLU(), add, nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(width, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.first(x))
        return self.head(self.mean(self.relu2(self.add(self.second(x), x))).flatten(1))


class OtherWords(nn.Module):
    """`Sum` in other words: functions, one ReLU for both places, in place, a sum in place, a mean."""

    def __init__(self, net: Sum) -> None:
        super().__init__()
        self.first, self.second, self.head, self.relu = net.first, net.second, net.head, nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = self.first(x)
        kept = before.view(before.shape)  # a second reader of what is written in place
        self.relu(before)
        total = F.conv2d(kept, self.second.weight, padding=1)
        total += before
        return F.linear(self.relu(total).mean((2, 3)), self.head.weight)


def small_vgg(*, bias: bool = True, means: bool = False) -> nn.Sequential:
    """Convolutions, ReLUs, pools and a head, all modules."""
    pool = nn.AvgPool2d if means else nn.MaxPool2d
    return frozen(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=bias), nn.ReLU(), pool(2), nn.Conv2d(8, 8, 3, padding=1, bias=bias), nn.ReLU(),
            pool(2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10, bias=bias), nn.ReLU(), nn.Dropout(),
            nn.Linear(10, 4, bias=bias),
        )
    )  # fmt: skip


def with_numbers(norm: nn.Module) -> nn.Module:
    """A batch normalisation whose numbers are not its first ones."""
    for tensor, low, high in (
        (norm.running_mean, -0.5, 0.5),
        (norm.running_var, 0.5, 2),
        (norm.weight, -1, 2),
        (norm.bias, -1, 1),
    ):
        nn.init.uniform_(tensor, low, high)
    return norm


class LastState(nn.Module):
    """What a recurrent layer puts out last."""

    def __init__(self, layer: nn.Module, time_first: bool = False) -> None:
        super().__init__()
        self.layer, self.time_first = layer, time_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x.transpose(0, 1) if self.time_first else x)[0]
        return y[-1] if self.time_first else y[:, -1]
