"""Digits read line by line: a bidirectional LSTM over eight steps of eight pixels, trained in seconds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import repos
import torch
from numpy.typing import NDArray
from torch import nn

HELD_OUT = 300


class Lines(nn.Module):
    """[8, 8] -> ten logits, from the mean state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.lstm(x)[0].mean(1))
        return logits


def build() -> nn.Module:
    return Lines()


def data() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images / 16).astype(np.float32), digits.target.astype(np.int64)


@lru_cache(maxsize=1)
def trained() -> tuple[dict[str, torch.Tensor], float]:
    """Weights, and the accuracy on the rows held out."""
    images, labels = (torch.from_numpy(array) for array in data())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Lines()
        optimizer = torch.optim.Adam(net.parameters(), 5e-3)
        for _ in range(25):
            for rows in torch.randperm(len(images) - HELD_OUT).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
                optimizer.step()
    right = net.eval()(images[-HELD_OUT:]).argmax(1) == labels[-HELD_OUT:]
    return net.state_dict(), float(right.float().mean())


def add_lines(folder: Path, name: str = "lines") -> Path:
    """The model on disk."""
    from safetensors.torch import save

    weights, _ = trained()
    inputs = repos.tensor_input("input", [8, 8], modality="series")
    body = f'title = "{name}"\nformat = "safetensors"\nfile = "m.safetensors"\nfactory = "digit_lines:build"\n{inputs}'
    content = save({key: tensor.contiguous() for key, tensor in weights.items()})
    return repos.write(folder, name, f"{body}{repos.output(10, kind='logits')}", {"m.safetensors": content})
