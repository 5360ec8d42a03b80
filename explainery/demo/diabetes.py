"""The diabetes regressor: a small network on raw, unscaled measurements, and how the demo trains it.

Data: Efron et al., "Least Angle Regression" (2004), 442 patients; the target is a score of disease progression after a year.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from explainery.demo.split import Split, split

FEATURES = {
    "age": "years",
    "sex": "",
    "body mass index": "kg/m²",
    "blood pressure": "mmHg",
    "total cholesterol": "mg/dl",
    "LDL cholesterol": "mg/dl",
    "HDL cholesterol": "mg/dl",
    "cholesterol/HDL": "",
    "log triglycerides": "",
    "glucose": "mg/dl",
}
"""Name -> unit, in the order of the columns."""


class Regressor(nn.Module):
    """Standardise, two layers, back to the target's own scale: clients send and get real units."""

    mean: torch.Tensor
    scale: torch.Tensor
    target_mean: torch.Tensor
    target_scale: torch.Tensor

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("target_mean", torch.zeros(1))
        self.register_buffer("target_scale", torch.ones(1))
        self.layers = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """[rows, features] -> [rows, 1]."""
        standard = (rows - self.mean) / self.scale
        scores: torch.Tensor = self.layers(standard) * self.target_scale + self.target_mean
        return scores


def build(width: int = 16) -> Regressor:
    """The network for the ten measurements."""
    return Regressor(len(FEATURES), width)


def data() -> Split:
    """Training and held-out patients in real units; sex is 0 or 1 (the data set's codes 1 and 2)."""
    from sklearn.datasets import load_diabetes

    rows, progression = load_diabetes(return_X_y=True, scaled=False)
    rows[:, 1] -= 1
    return split(rows, progression, stratify=False)


def train(patients: Split, epochs: int = 120) -> Regressor:
    """Train from a fixed seed; weight decay, because 353 patients are few."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build()
        _standardise(model, patients)
        inputs = torch.from_numpy(patients.train_x)
        truths = torch.from_numpy(patients.train_y.astype(np.float32)).unsqueeze(1)
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
        for _ in range(epochs):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), truths) / model.target_scale.square().sum()
            torch.autograd.backward(loss)
            optimizer.step()
    return model.eval()


def _standardise(model: Regressor, patients: Split) -> None:
    model.mean = torch.from_numpy(patients.train_x.mean(axis=0))
    model.scale = torch.from_numpy(patients.train_x.std(axis=0))
    model.target_mean = torch.tensor([patients.train_y.mean()], dtype=torch.float32)
    model.target_scale = torch.tensor([patients.train_y.std()], dtype=torch.float32)
