"""Factories of small torch models, allowed by name in the tests' settings."""

from __future__ import annotations

import torch
from torch import nn


def linear(features: int, outputs: int = 1) -> nn.Module:
    return nn.Linear(features, outputs)


def weighted(weights: list[float], bias: float) -> nn.Module:
    """w.x + bias in double precision."""
    layer = nn.Linear(len(weights), 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
        layer.bias.fill_(bias)
    return layer


def mlp(features: int, outputs: int = 3, width: int = 16, smooth: bool = False) -> nn.Module:
    act = nn.Tanh if smooth else nn.ReLU
    return nn.Sequential(nn.Linear(features, width), act(), nn.Linear(width, width), act(), nn.Linear(width, outputs))


def double_mlp(features: int) -> nn.Module:
    """A smooth net in double precision: what two ways to the same answer differ by is not the model's rounding."""
    return mlp(features, smooth=True).double()


def cnn(outputs: int = 4) -> nn.Module:
    first = (nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    second = (nn.Conv2d(4, 8, 3, padding=1), nn.ReLU())
    return nn.Sequential(*first, *second, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, outputs))


class Product(nn.Module):
    """The product of all elements."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x.flatten(1).prod(dim=1, keepdim=True)


def product() -> nn.Module:
    return Product()


class TwoInputs(nn.Module):
    """Sum of a table's and a picture's scores."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Linear(3, 2)
        self.picture = nn.Linear(16, 2)

    def forward(self, table: torch.Tensor, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"extra": picture.flatten(1), "logits": self.table(table) + torch.tanh(self.picture(picture.flatten(1)))}


def two_inputs() -> nn.Module:
    return TwoInputs()


class Picky(nn.Module):
    """Raises on rows whose first element is above 100, answers NaN above 50."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x[:, 0] > 100).any()):
            raise ValueError("the secret value is in this text")
        return torch.where(x[:, :1] > 50, torch.nan, self.layer(x))


def picky() -> nn.Module:
    return Picky()


class Hungry(nn.Module):
    """Runs out of memory on more than `most` rows, as an allocator would say it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.most = most

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.layer(x)


def hungry(most: int) -> nn.Module:
    return Hungry(most)


class Branching(nn.Module):
    """Goes another way where the first row's sum is negative: no one trace is the model."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x[0].sum() < 0:
            return -(x @ self.weights)[:, None]
        return (x @ self.weights)[:, None]


def branching() -> nn.Module:
    return Branching()


def flat(features: int, outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, outputs))
