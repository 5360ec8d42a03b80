"""Factories for the suite that runs on a GPU: one wants more memory than there is, one is worth a GPU."""

from __future__ import annotations

import torch
from torch import nn


class Wide(nn.Module):
    """Each row spreads to `megabytes` before it is summed up: a batch of a few hundred fills any GPU."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.cells = megabytes * 2**18

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = self.layer(x)
        return (score.expand(-1, self.cells) + x[:, :1]).mean(dim=1, keepdim=True)


def wide(megabytes: int) -> nn.Module:
    return Wide(megabytes)


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.body(x))


def pictures(channels: int = 64, blocks: int = 4, outputs: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, channels, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(2), *(Block(channels) for _ in range(blocks)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs),
    )  # fmt: skip
