"""Do 95 % intervals hold the truth? Sampled Shapley values beside exact ones, over 500 rows of three models.

Of every row and feature: does attribution +- 1.96 standard errors hold the exact value? Between 90 and 98 % should. The last
column leaves out features that take no part in a row's output (exact value 0: trees split on them elsewhere, or both values go
the same way): orders give them exactly 0, which every interval holds, and they are a third to a half of the trees' cells.
Boosted trees are read exactly by shap's interventional TreeExplainer, the small network by all 4,096 coalitions. Methods are
driven directly, without the engine. Run: python -m benchmarks.intervals
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import shap
from sklearn.datasets import load_breast_cancer, make_friedman1
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.neural_network import MLPRegressor

from benchmarks.tables import show
from workers.coalitions import every_coalition, shapley_weights
from workers.game import Game, Partition
from workers.methods import kernel_shap, owen, permutation_shapley

ROWS = 500
LOW, HIGH = 0.90, 0.98
BUDGETS = (8, 32)
"""Evaluations per feature."""
EXACT_AT_ONCE = 20
SEEDS = 50
"""Rows of one seed share their plans."""
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, its baseline, rows, and their exact Shapley values [rows, features]."""

    name: str
    predict: Predict
    baseline: np.ndarray
    rows: np.ndarray
    exact: np.ndarray


def problems() -> list[Problem]:
    """Three models, trained here on data that comes with scikit-learn or is made from a seed."""
    cancer = load_breast_cancer()
    state = np.random.get_state()  # shap.datasets reseeds the process-wide generator
    grouped = [np.asarray(part) for part in shap.datasets.corrgroups60()]
    np.random.set_state(state)
    friedman = make_friedman1(2000, n_features=12, noise=0.5, random_state=0)
    net = MLPRegressor(hidden_layer_sizes=(32, 32), max_iter=1000, random_state=0).fit(*friedman)
    return [
        of_trees("breast cancer, boosted trees (30)", cancer.data, cancer.target),
        of_trees("corrgroups60, boosted trees (60)", *grouped),
        enumerated("friedman, network (12)", net.predict, friedman[0]),
    ]


def of_trees(name: str, x: np.ndarray, y: np.ndarray) -> Problem:
    """Thresholds and rows in single precision: shap's explainer compares so."""
    x = x.astype(np.float32).astype(np.float64)
    model = GradientBoostingRegressor(n_estimators=100, max_depth=4, random_state=0).fit(x, y)
    rows, baseline = x[:ROWS], x.mean(axis=0).astype(np.float32).astype(np.float64)
    trees = shap.TreeExplainer(model, data=baseline[None], feature_perturbation="interventional")
    return Problem(name, model.predict, baseline, rows, np.asarray(trees.shap_values(rows)))


def enumerated(name: str, predict: Predict, x: np.ndarray) -> Problem:
    """Exact by every coalition."""
    rows, baseline = x[:ROWS], x.mean(axis=0)
    between = every_coalition(x.shape[1])
    present = np.concatenate([between, np.ones((1, x.shape[1]), dtype=bool)])
    weights, empty = shapley_weights(present), float(predict(baseline[None])[0])
    exact = []
    for first in range(0, len(rows), EXACT_AT_ONCE):
        points = np.where(present[None], rows[first : first + EXACT_AT_ONCE, None], baseline)
        values = predict(points.reshape(-1, x.shape[1])).reshape(len(points), -1)
        exact.append((values - empty) @ weights)
    return Problem(name, predict, baseline, rows, np.concatenate(exact))


def solve(problem: Problem, method: ModuleType, number: int, samples: int) -> tuple[np.ndarray, np.ndarray | None]:
    """One row's attributions and standard errors."""
    row = problem.rows[number]
    fx, fb = problem.predict(np.stack([row, problem.baseline]))
    game = Game(Partition({"input": np.arange(len(row))}), float(fx), float(fb), number % SEEDS)
    apart = {"hierarchy": list(range(len(row)))} if method is owen else {}  # else neighbours would be kept together
    steps = method.explain(game, method.SPEC.complete({"samples": samples, "tolerance": 0.0, **apart}))
    question = next(steps)
    while True:
        try:
            question = steps.send(problem.predict(np.where(question.coalitions, row, problem.baseline)))
        except StopIteration as end:
            return end.value.per_player, end.value.standard_error


def covered(problem: Problem, method: ModuleType, samples: int) -> tuple[float, float]:
    """Share of intervals that hold the exact value: of all features, and of those that take part."""
    hits = []
    scale = np.abs(problem.exact).max()
    for number in range(len(problem.rows)):
        phi, error = solve(problem, method, number, samples)
        if error is None:
            raise RuntimeError(f"{method.__name__} gave no standard errors")
        hits.append(np.abs(phi - problem.exact[number]) <= 1.96 * error + 1e-6 * scale)  # shap adds up in single precision
    return float(np.mean(hits)), float(np.mean(np.array(hits)[problem.exact != 0]))


def main() -> None:
    """Print the table."""
    cells = []
    for problem in problems():
        n = problem.rows.shape[1]
        for method in (kernel_shap, permutation_shapley, owen):
            for budget in BUDGETS:
                share, of_those = covered(problem, method, budget * n)
                verdict = "met" if LOW <= share <= HIGH else "MISSED"
                row = (problem.name, method.SPEC.name, budget * n, f"{share:.1%}", f"{verdict} ({LOW:.0%} - {HIGH:.0%})")
                cells.append((*row, f"{of_those:.1%}"))
    heads = ("model", "method", "evaluations", "hold the truth", "", "of features that take part")
    show(f"95 % intervals over {ROWS} rows of three models", heads, cells)


if __name__ == "__main__":
    main()
