"""Factories for the suite over runtimes: outputs and inputs of every form that a loaded model may have."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Answers(nn.Module):
    """Three scores of six numbers, answered in one of the forms that models answer in."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.layer = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> Any:
        scores = torch.tanh(self.layer(x))
        forms = {
            "plain": scores,
            "dict": {"extra": x.detach(), "score": scores},
            "tuple": (x.detach(), scores),
            "flat": scores[:, 0],
            "double": scores.double(),
        }
        return forms[self.form]


def answers(form: str) -> nn.Module:
    return Answers(form)


class AnyLength(nn.Module):
    """The mean over time of a smooth function of each step: [n, time, 2] -> [n, 2]."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.layer(x)).mean(dim=1)


def any_length() -> nn.Module:
    return AnyLength()


class Tokens(nn.Module):
    """Whole numbers in, scores out."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.table(x).mean(dim=1)


def tokens() -> nn.Module:
    return Tokens()


class InPlace(nn.Module):
    """Writes into its own input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.mul_(2.0).tanh_())


def in_place() -> nn.Module:
    return InPlace()


class Constant(nn.Module):
    """Does not look at its input."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(x), 1)


def constant() -> nn.Module:
    return Constant()


class Recurrent(nn.Module):
    """The last state of a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.GRU(2, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cells(x)[0][:, -1]


def recurrent() -> nn.Module:
    return Recurrent()


class OneForAll(nn.Module):
    """Answers one row however many it is asked: no model that can be explained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).mean(dim=0, keepdim=True)


def one_for_all() -> nn.Module:
    return OneForAll()


class Root(nn.Module):
    """The square root, whose slope at 0 is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * torch.sqrt(x).sum(dim=1, keepdim=True)


def root() -> nn.Module:
    return Root()


def raises() -> nn.Module:
    raise ValueError("a secret of the factory")


def no_module() -> dict[str, str]:
    return {}
