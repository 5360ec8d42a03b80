"""Factories of nets that something is wrong with, and of their healthy like."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


def stack(width: int = 32, depth: int = 3, act: str = "ReLU", features: int = 64, outputs: int = 10) -> nn.Module:
    """Linear layers with activations in between, named linear0, act0, linear1, ...: [rows, 1, 8, 8] -> [rows, outputs]."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(flat=nn.Flatten())
    for number in range(depth):
        parts[f"linear{number}"] = nn.Linear(features if number == 0 else width, width)
        parts[f"act{number}"] = getattr(nn, act)()
    parts["head"] = nn.Linear(width, outputs)
    return nn.Sequential(parts)


class Residual(nn.Module):
    """A stem, residual blocks with one ReLU used twice, and a head."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                OrderedDict(
                    conv1=nn.Conv2d(width, width, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(width), relu=nn.ReLU(),
                    conv2=nn.Conv2d(width, width, 3, padding=1, bias=False), bn2=nn.BatchNorm2d(width),
                )
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.relu, self.head = nn.ReLU(), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.stem(x)))
        for block in self.blocks:
            x = self.relu(x + block(x))
        return self.head(x.mean((2, 3)))


def residual(width: int = 16, blocks: int = 3) -> nn.Module:
    return Residual(width, blocks)


class Attending(nn.Module):
    """The rows of a picture as tokens, through `nn.TransformerEncoder`: its attention never calls its own `out_proj`."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x[:, 0]).mean(1))


def attending() -> nn.Module:
    return Attending()


class Spare(nn.Module):
    """A net with a branch that nobody calls, and a layer whose weight is used without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(64, 10)
        self.spare = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
        self.tied = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        return self.body(flat) + nn.functional.linear(flat, self.tied.weight, self.tied.bias)


def spare() -> nn.Module:
    return Spare()
