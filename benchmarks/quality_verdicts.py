"""Do the checks notice what is wrong, and leave alone what is right? Verdicts on three trained models.

The models are the demo's: the digits CNN (64 players), the breast-cancer MLP (30) and the diabetes regressor (10), on rows that
they have not seen. Every explanation is checked by deletion, insertion and infidelity with their defaults. Wrong on purpose are
the methods of `benchmarks/planted`; "of another model" are integrated gradients of the same network with all its weights
shuffled, judged against the network as it is. The randomisation check is run on methods that should change with the weights,
and on a pattern that does not. Run: python -m benchmarks.quality_verdicts
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from explainery.contract.job import Baseline
from explainery.contract.result import Explanation
from explainery.demo.models import FACTORIES, held_out, prepare
from explainery.settings import load
from workers.local import Local, Order

MODELS = {"digits-cnn": 120, "breast-cancer-mlp": 114, "diabetes-regressor": 89}
"""Rows explained; all that were held out of the two tables."""
FAITHFUL: dict[str, dict[str, Any]] = {"deletion": {}, "insertion": {}, "infidelity": {}}
RANDOMISED: dict[str, dict[str, Any]] = {"randomisation": {}}
BAD = ("random_values", "random_shares", "wrong_sign", "of another model")
GOOD = ("integrated_gradients", "kernel_shap")
OTHERS = (
    "saliency", "smoothgrad", "input_x_gradient", "deep_lift", "lrp", "expected_gradients", "occlusion", "feature_ablation",
    "permutation_shapley", "lime", "rise", "grad_cam", "guided_backprop", "var_grad",
)  # fmt: skip
MUST = {**dict.fromkeys(BAD, ("fail", 0.95)), "of another model": ("flagged", 0.95), **dict.fromkeys(GOOD, ("pass", 0.9))}
"""Which verdict at least so large a share of the rows is to have; flagged: any but "pass"."""
OTHER_ROWS = 30
SHUFFLED_ROWS = 20


def laboratory(folder: Path) -> Local:
    """The demo's models, trained here, and the planted methods beside the real ones."""
    for _ in prepare(folder, set(MODELS)):
        pass
    planted = str(Path(__file__).parent / "planted")
    own = {"models": str(folder), "factories": tuple(FACTORIES.split(",")), "plugins": (planted,)}
    return Local(dataclasses.replace(load({}), **own, device="cpu", threads=1, trials=False, twin_after_s=-1))  # type: ignore[arg-type]


def rows_of(model: str, count: int) -> np.ndarray:
    """Rows that the model has not seen."""
    return np.asarray(held_out(model).held_x[:count])


def explained(
    lab: Local, model: str, method: str, rows: np.ndarray, quality: Mapping[str, Mapping[str, Any]]
) -> tuple[tuple[Explanation, ...], np.ndarray]:
    """Explanations with their checks, and attributions [rows, players]."""
    target = None if model == "diabetes-regressor" else "predicted"
    order = Order(method, {"input": rows}, {}, target=target, baseline=Baseline(kind="card"), quality=quality)
    result, arrays = lab.explain(model, order)
    found = arrays.get("attributions.input", np.zeros(len(rows)))
    return result.explanations, found.reshape(len(rows), -1)


def of_another_model(lab: Local, model: str, rows: np.ndarray) -> tuple[Explanation, ...]:
    """Integrated gradients of the network with shuffled weights, judged against the network itself."""
    loaded = lab.load(model)
    own: Any = loaded.model
    object.__setattr__(loaded, "model", own.shuffled(own.weighted, 0))  # what `Loaded` holds stays the same but for this while
    loaded.known_baselines._outputs.clear()
    try:
        _, others = explained(lab, model, "integrated_gradients", rows, {})
    finally:
        object.__setattr__(loaded, "model", own)
        loaded.known_baselines._outputs.clear()
    given: Any = lab.registry.methods["given"]
    judged: list[Explanation] = []
    for row, values in zip(rows, others, strict=True):
        given.VALUES = values.astype(np.float64)
        judged += explained(lab, model, "given", row[None], FAITHFUL)[0]
    return tuple(judged)


def faithful(lab: Local, model: str, method: str, rows: np.ndarray) -> tuple[Explanation, ...]:
    """Explanations judged by deletion, insertion and infidelity."""
    if method == "of another model":
        return of_another_model(lab, model, rows)
    return explained(lab, model, method, rows, FAITHFUL)[0]


def rates(explanations: Iterable[Explanation]) -> dict[str, float]:
    """Share of the rows with each verdict."""
    counts = Counter(explanation.quality.verdict for explanation in explanations)
    shares = {verdict: counts[verdict] / counts.total() for verdict in ("pass", "warn", "fail")}
    return shares | {"flagged": shares["warn"] + shares["fail"]}


def main() -> None:
    """Print the tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(Path(folder))
        print("Verdicts by deletion, insertion and infidelity, and the figures that every answer has; share of the rows.\n")
        print("| model | method | pass | warn | fail | to meet |\n|---|---|---|---|---|---|")
        for model, count in MODELS.items():
            for method in (*BAD, *GOOD, *OTHERS):
                few = count if method in MUST else min(count, OTHER_ROWS)
                _print_verdicts(lab, model, method, rows_of(model, few))
        print(
            f"\nRandomisation: rank correlation with all weights shuffled, {SHUFFLED_ROWS} rows; median, and share flagged.\n"
        )
        print("| model | method | correlation | flagged |\n|---|---|---|---|")
        for model in MODELS:
            for method in ("integrated_gradients", "saliency", "guided_backprop", "fixed_pattern"):
                _print_shuffled(lab, model, method)


def _print_verdicts(lab: Local, model: str, method: str, rows: np.ndarray) -> None:
    if method == "grad_cam" and model != "digits-cnn":
        return
    found = rates(faithful(lab, model, method, rows))
    cells = " | ".join(f"{found[verdict]:.1%}" for verdict in ("pass", "warn", "fail"))
    wanted = ""
    if method in MUST:
        verdict, share = MUST[method]
        wanted = f"{verdict} >= {share:.0%}: {'met' if found[verdict] >= share else 'MISSED'}"
    print(f"| {model} | {method} | {cells} | {wanted} |", flush=True)


def _print_shuffled(lab: Local, model: str, method: str) -> None:
    explanations, _ = explained(lab, model, method, rows_of(model, SHUFFLED_ROWS), RANDOMISED)
    checks = [explanation.quality.checks or {} for explanation in explanations]
    found = [check["randomisation"] for check in checks]
    median = float(np.median([each["correlation"] or 0.0 for each in found]))
    flagged = np.mean([each["verdict"] != "pass" for each in found])
    print(f"| {model} | {method} | {median:.2f} | {flagged:.0%} |", flush=True)


if __name__ == "__main__":
    main()
