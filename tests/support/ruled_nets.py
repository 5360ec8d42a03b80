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


class Gated(nn.Module):
    """As mobile nets have it: a batch norm, hard activations in place, channels weighed by their own mean."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, 2, 1, bias=False), with_numbers(nn.BatchNorm2d(8))
        self.apart, self.down, self.up = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.hardswish(self.norm(self.first(x)), inplace=True)
        x = F.relu6(self.apart(x), inplace=True)
        gate = torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))
        return self.head((x * gate).mean([2, 3]))


class Windowed(nn.Module):
    """As Swin has it: shifted windows, folded into the rows and back; attention within each."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.packed, self.norm, self.head = (
            nn.Conv2d(3, 8, 2, 2),
            nn.Linear(8, 24),
            nn.LayerNorm(8),
            nn.Linear(8, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.roll(self.patches(x).permute(0, 2, 3, 1), (-1, -1), (1, 2))
        rows, high, wide, width = x.shape
        x = x.view(rows, high // 4, 4, wide // 4, 4, width).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 16, width)
        q, k, v = self.packed(self.norm(x)).reshape(-1, 16, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q * 0.5 @ k.transpose(-2, -1)).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(-1, 16, width)
        return self.head(mixed.view(rows, -1, 16, width).mean((1, 2)))


class Upsampled(nn.Module):
    """As U-nets have it: down, up by two ways, and across."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.last = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        across = F.relu(self.one(x))
        low = F.relu(self.two(F.max_pool2d(across, 2)))
        high = self.up(low) + F.interpolate(low[:, :4], scale_factor=2, mode="bilinear", align_corners=False)
        return self.last(torch.cat([across, high], 1)).mean((2, 3))
