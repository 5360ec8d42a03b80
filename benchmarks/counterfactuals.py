"""Counterfactuals beside DiCE's, and whether what anchors state holds: breast cancer, wine and a credit-like table.

Valid: ONNX Runtime, called by itself on each row given, alone, answers the wanted class. Changed: by more than a thousandth of
the feature's standard deviation (DiCE's genetic search rounds every feature); a one-hot block counts as one feature. Ours and
DiCE's are asked for the same class, the second likeliest, for as many, from the same training rows, under the same limits of
what may vary (ours also keeps ranges, steps and directions: "limits broken"). DiCE is asked on scikit-learn's model itself.
Where several are asked for, ours gives fewer where it finds no more that differ: "found". Anchors: 10,000 fresh rows a rule.
Run: python -m benchmarks counterfactuals (with DiCE: see benchmarks/dice.py).
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import dice
from benchmarks.credit import ACTIONABILITY, CATEGORIES, GROUPS, IMMUTABLE
from benchmarks.tables import met, show
from benchmarks.tabular import Trained, all_three, laboratory
from explainery.contract.job import Baseline
from explainery.demo.onnx_tables import probabilities
from workers.local import Local, Order

ROWS, COUNTS, FRESH = 60, (1, 3), 10_000
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Answers:
    """Counterfactuals of some rows: `rows` says whose each of `points` is."""

    who: str
    rows: Array
    points: Array
    seconds: float


def ours(lab: Local, of: Trained, rows: Array, wanted: Array, count: int) -> Answers:
    """What the engine finds, one job for each wanted class."""
    at, points, began = [], [], time.perf_counter()
    for desired in np.unique(wanted):
        some = np.flatnonzero(wanted == desired)
        report = explain(lab, of, "counterfactual", rows[some], {"desired": int(desired), "count": count})
        for told in report["rows"]:
            at += [some[told["row"]]] * len(told["counterfactuals"])
            points += [one["inputs"]["input"] for one in told["counterfactuals"]]
    found = np.array(points, np.float32).reshape(-1, rows.shape[1])
    return Answers("ours", np.array(at, int), found, time.perf_counter() - began)


def theirs(of: Trained, rows: Array, wanted: Array, count: int, way: str) -> Answers:
    """What DiCE finds."""
    found, seconds = dice.run(of, rows, wanted, count, way)
    at = np.repeat([each.row for each in found], [len(each.points) for each in found])
    return Answers(f"DiCE, {way}", at.astype(int), np.concatenate([each.points for each in found]), seconds)


def judged(of: Trained, rows: Array, wanted: Array, answers: Answers) -> dict[str, float]:
    """The figures of one search."""
    said = np.array([probabilities(of.onnx, point[None])[0].argmax() for point in answers.points])
    valid = said == wanted[answers.rows]
    moved = np.abs(answers.points - rows[answers.rows]) > 1e-3 * of.x.std(axis=0)
    frozen = [of.features.index(name) for name in IMMUTABLE] if of.input_more else []
    return {
        "rows": len(np.unique(answers.rows[valid])),
        "found": len(answers.rows),
        "valid": float(valid.mean()),
        "immutable": int(moved[:, frozen].any(axis=1).sum()),
        "outside": 0 if answers.who != "ours" else int(sum(not kept(of, point, row) for point, row in _pairs(answers, rows))),
        "changed": float(features(of, moved).sum(axis=1)[valid].mean()),
    }


def features(of: Trained, moved: Array) -> Array:
    """Which features moved, a one-hot block as one, [points, features]."""
    if not of.input_more:
        return moved
    block = [of.features.index(name) for name in GROUPS["housing"]]
    return np.column_stack([np.delete(moved, block, axis=1), moved[:, block].any(axis=1)])


def kept(of: Trained, point: Array, row: Array) -> bool:
    """Whether a point keeps every limit of the credit card."""
    if not of.input_more:
        return True
    value = dict(zip(of.features, point.astype(float), strict=True))
    before = dict(zip(of.features, row.astype(float), strict=True))
    moved = {name for name in of.features if value[name] != before[name]}
    return (
        not moved & set(IMMUTABLE)
        and sorted(value[name] for name in GROUPS["housing"]) == [0, 0, 1]
        and all(value[name] in range(len(words)) for name, words in CATEGORIES.items())
        and all(low <= value[name] <= high for name, (low, high) in ACTIONABILITY["ranges"].items() if name in moved)
        and all(value[name] % step == 0 for name, step in ACTIONABILITY["steps"].items() if name in moved)
        and value["years employed"] >= before["years employed"]
    )


def _pairs(answers: Answers, rows: Array) -> list[tuple[Array, Array]]:
    return [(point, rows[row]) for point, row in zip(answers.points, answers.rows, strict=True)]


def explain(lab: Local, of: Trained, method: str, rows: Array, params: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """A job's report, with the training rows as the data."""
    order = Order(
        method, {"input": rows}, params, baseline=Baseline(kind="background"), arrays={"background/input": of.x}, seed=seed
    )
    report = lab.explain(of.name, order)[0].report
    if report is None:
        raise TypeError("a method of tables has a report")
    return report


def held(lab: Local, of: Trained, rows: Array, fresh: int = FRESH) -> dict[str, float]:
    """How often what anchors state is reached by rows drawn anew."""
    report = explain(lab, of, "anchors", rows, {})
    own, rng = probabilities(of.onnx, rows).argmax(axis=1), np.random.Generator(np.random.Philox(99))
    reached = []
    for told in report["rows"]:
        points = redrawn(of, told["rule"], rows[told["row"]], fresh, rng)
        reached.append((probabilities(of.onnx, points).argmax(axis=1) == own[told["row"]]).mean() >= told["precision"])
    good = [told for told in report["rows"] if told["quality"]["converged"]]
    return {
        "rules": len(reached),
        "held": float(np.mean(reached)),
        "good": len(good) / len(reached),
        "length": float(np.mean([len(told["rule"]) for told in good])) if good else float("nan"),
        "coverage": float(np.mean([told["coverage"] for told in good])) if good else float("nan"),
    }


def redrawn(of: Trained, rule: list[dict[str, Any]], row: Array, count: int, rng: Any) -> Array:
    """Rows of the data; what is outside a condition takes the value of a row inside, or the row's own where none is."""
    points = of.x[rng.integers(len(of.x), size=count)].copy()
    for condition in rule:
        block = GROUPS.get(condition["feature"]) if of.input_more else None
        columns = [of.features.index(name) for name in block or [condition["feature"]]]
        inside, among = (_inside(of, condition, columns, x) for x in (points, of.x))
        others = of.x[among] if among.any() else row[None]
        points[np.ix_(~inside, columns)] = others[rng.integers(len(others), size=(~inside).sum())][:, columns]
    return points


def _inside(of: Trained, condition: dict[str, Any], columns: list[int], x: Array) -> Array:
    value = x[:, columns[0]].astype(float)
    equals = condition["equals"]
    if len(columns) > 1:
        return np.asarray(x[:, of.features.index(equals)] == 1)
    if isinstance(equals, str):
        return np.asarray(value == CATEGORIES[condition["feature"]].index(equals))
    if equals is not None:
        return np.asarray(value == equals)
    low, high = condition["low"], condition["high"]
    return (value > (-np.inf if low is None else low)) & (value <= (np.inf if high is None else high))


def wanted_of(of: Trained, rows: Array) -> Array:
    """The second likeliest class of each row."""
    return np.argsort(-probabilities(of.onnx, rows), axis=1, kind="stable")[:, 1]


def main() -> None:
    """Print both tables."""
    models = all_three()
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(Path(folder), models)
        _counterfactuals(lab, models)
        table = []
        for of in models:
            found = held(lab, of, of.held[:ROWS])
            table.append((of.name, found["rules"], f"{found['held']:.1%}", met(found["held"], 0.95), f"{found['good']:.0%}",
                          f"{found['length']:.1f}", f"{found['coverage']:.1%}"))  # fmt: skip
        columns = ("table", "rules", "stated precision held", "", "reach 0.95", "conditions", "coverage")
        show(f"Anchors: what is stated against {FRESH} fresh rows", columns, table)


def _counterfactuals(lab: Local, models: list[Trained]) -> None:
    for count in COUNTS:
        table, ratios = [], []
        for of in models:
            rows = of.held[:ROWS]
            wanted, sparse = wanted_of(of, rows), []
            searches = [lambda: ours(lab, of, rows, wanted, count)]  # noqa: B023  # called at once
            ways = ("random", "genetic") if dice.installed() else ()
            searches += [lambda way=way: theirs(of, rows, wanted, count, way) for way in ways]  # type: ignore[misc]  # noqa: B023
            for search in searches:
                answers = search()
                found = judged(of, rows, wanted, answers)
                sparse.append(found["changed"])
                outside = found["outside"] if answers.who == "ours" else "-"
                table.append((of.name, answers.who, f"{found['rows']:.0f} of {len(rows)}", found["found"],
                              f"{found['valid']:.1%}", found["immutable"], outside, f"{found['changed']:.2f}",
                              f"{answers.seconds:.1f}"))  # fmt: skip
            ratios.append((of.name, sparse))
        columns = (
            "table",
            "search",
            "rows with one",
            "found",
            "valid",
            "immutable changed",
            "limits broken",
            "features changed",
            "s",
        )
        show(f"Counterfactuals, {count} for each row", columns, table)
        for name, sparse in ratios:
            if len(sparse) > 1:
                said = met(sparse[0] / min(sparse[1:]), 1, at_least=False)
                print(f"\n{name}: features changed, ours / the sparser of DiCE's: {said}")
    if not dice.installed():
        print("\nDiCE is not installed; benchmarks/dice.py says how.")
