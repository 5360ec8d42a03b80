"""What the demo asks: rows that no model has seen, by methods that suit the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One method with its parameters."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Questions:
    """What is asked of one model. `rows`: positions among the held-out rows; the first is told in full."""

    model: str
    rows: tuple[int, ...]
    asked: tuple[Asked, ...]
    baseline: str = "card"


QUESTIONS = (
    Questions(
        "digits-cnn",
        (0, 5, 8),
        (Asked("integrated_gradients"), Asked("input_x_gradient"), Asked("occlusion", {"window": 2, "stride": 1})),
    ),
    Questions("breast-cancer-mlp", (0, 1), (Asked("kernel_shap", {"samples": 2048}), Asked("integrated_gradients"))),
    Questions("wine-forest", (0, 1), (Asked("exact_shapley"), Asked("kernel_shap", {"samples": 512}))),
    Questions("diabetes-regressor", (0, 1), (Asked("exact_shapley"), Asked("integrated_gradients"), Asked("kernel_shap"))),
)
