"""A made-up credit table: numbers, whole numbers, a category, a one-hot block, and features that nobody can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FEATURES = (
    "age", "sex", "dependants", "income", "debt", "savings", "years employed", "late payments", "instalment", "purpose",
    "housing rent", "housing own", "housing free",
)  # fmt: skip
CATEGORIES = {"sex": ["f", "m"], "purpose": ["car", "furniture", "study", "other"]}
GROUPS = {"housing": ["housing rent", "housing own", "housing free"]}
IMMUTABLE = ("age", "sex", "dependants", "late payments")
ACTIONABILITY = {
    "immutable": list(IMMUTABLE),
    "directions": {"years employed": "increase"},
    "ranges": {"income": [0, 12000], "years employed": [0, 45]},
    "steps": {"income": 10, "debt": 10, "savings": 10, "years employed": 1, "instalment": 1},
    "one_hot": ["housing"],
}
LABELS = ("refused", "granted")


@dataclass(frozen=True, eq=False)
class Credit:
    """The table, float32 [rows, features], and whether each was granted."""

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]


def credit(rows: int = 1200, seed: int = 0) -> Credit:
    """Applicants from a fixed seed; what was granted follows a rule with interactions and noise."""
    rng = np.random.Generator(np.random.Philox(seed))
    age = rng.integers(20, 75, rows)
    years = np.minimum(rng.geometric(0.15, rows) - 1, age - 18)
    income = np.round(np.exp(rng.normal(7.8, 0.45, rows)) + 30 * years, -1)
    debt = np.round(rng.exponential(4000, rows), -1)
    savings = np.round(rng.exponential(3000, rows), -1)
    late, dependants = rng.poisson(0.7, rows), rng.integers(0, 4, rows)
    instalment, sex, purpose = rng.integers(1, 5, rows), rng.integers(0, 2, rows), rng.integers(0, 4, rows)
    housing = np.eye(3)[rng.choice(3, rows, p=[0.4, 0.5, 0.1])]
    score = (
        0.0009 * (income - 350 * dependants) - 0.00012 * debt + 0.00008 * savings + 0.05 * years - 0.9 * late
        - 0.35 * instalment
        + 0.5 * housing[:, 1] - 0.4 * (purpose == 3) - 0.00005 * debt * (late > 0) + 0.01 * (age - 40)
    )  # fmt: skip
    table = np.column_stack([age, sex, dependants, income, debt, savings, years, late, instalment, purpose, housing])
    granted = score + rng.normal(0, 0.6, rows) > np.median(score)
    return Credit(table.astype(np.float32), granted.astype(np.int64))
