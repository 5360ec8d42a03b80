"""The digits CNN: what the model repository's factory builds, and how the demo trains it.

Data: scikit-learn's copy of the UCI optical digits (8x8, sixteen grey levels), scaled to 0..1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from explainery.demo.split import Split, split


def build(width: int = 8) -> nn.Module:
    """A small CNN with batch norm: [rows, 1, 8, 8] in 0..1 -> logits [rows, 10]."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * 16, 10),
    )


def data() -> Split:
    """Training and held-out digits; inputs [rows, 1, 8, 8] float32 in 0..1."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return split(images.reshape(-1, 1, 8, 8).astype(np.float32) / 16, labels, stratify=True)


def train(digits: Split, epochs: int = 6) -> nn.Module:
    """Train from a fixed seed, without touching the process-wide generator for good."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build()
        inputs, labels = torch.from_numpy(digits.train_x), torch.from_numpy(digits.train_y)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(inputs)), 64):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(inputs[rows]), labels[rows])
                torch.autograd.backward(loss)
                optimizer.step()
    return model.eval()
