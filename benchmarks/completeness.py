"""How far do integrated gradients miss what they should sum to? 1,000 rows of each of five models, with default parameters.

Three models are the demo's, trained here, on rows of their data with a little noise where there are fewer than 1,000; two are
networks with random weights on Gaussian rows. A row may miss by more than a hundredth only if it says `converged: false`.
Run: python -m benchmarks.completeness
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from pathlib import Path

import numpy as np
import structlog

from benchmarks.models import FACTORIES, add_net
from benchmarks.tables import met, show
from explainery.contract.job import Baseline
from explainery.demo.models import FACTORIES as DEMO
from explainery.demo.models import held_out, prepare
from explainery.settings import load
from workers.local import Local, Order

ROWS = 1000
BOUND = 0.01
NOISE = 0.02
"""Standard deviation of the noise on rows that are taken again, as a share of each column's."""
TRAINED = ("digits-cnn", "breast-cancer-mlp", "diabetes-regressor")


def laboratory(folder: Path) -> Local:
    """The five models."""
    for _ in prepare(folder, set(TRAINED)):
        pass
    add_net(folder, "random-mlp", "mlp", {"features": 12}, [12], 3)
    add_net(folder, "random-cnn", "small_cnn", {}, [1, 8, 8], 10, modality="image", layout="NCHW")
    own = {"models": str(folder), "factories": (*DEMO.split(","), FACTORIES)}
    return Local(dataclasses.replace(load({}), **own, device="cpu", threads=1, trials=False, twin_after_s=-1))  # type: ignore[arg-type]


def rows_of(lab: Local, model: str) -> np.ndarray:
    """A thousand rows, from a fixed seed."""
    rng = np.random.default_rng(0)
    if model not in TRAINED:
        return rng.normal(size=(ROWS, *lab.load(model).card.inputs[0].row_shape)).astype(np.float32)
    split = held_out(model)
    known = np.concatenate([np.asarray(split.held_x), np.asarray(split.train_x)])
    taken = known[np.arange(ROWS) % len(known)]
    again = (np.arange(ROWS) >= len(known)).reshape(-1, *[1] * (known.ndim - 1))
    return np.asarray(taken + again * rng.normal(size=taken.shape) * NOISE * known.std(axis=0), dtype=np.float32)


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(Path(folder) / "models")
        for model in (*TRAINED, "random-mlp", "random-cnn"):
            target = None if model == "diabetes-regressor" else "predicted"
            order = Order(
                "integrated_gradients", {"input": rows_of(lab, model)}, {}, target=target, baseline=Baseline(kind="card")
            )
            result, _ = lab.explain(model, order)
            told = [explanation.quality for explanation in result.explanations]
            gaps = np.array([quality.completeness_gap or 0.0 for quality in told])
            silent = int(sum(gap > BOUND and quality.converged is not False for gap, quality in zip(gaps, told, strict=True)))
            unconverged = np.mean([quality.converged is False for quality in told])
            high = float(np.percentile(gaps, 95))
            calls = result.cost.gradient_evaluations / ROWS
            sure = float(
                np.percentile([gap for gap, quality in zip(gaps, told, strict=True) if quality.converged is not False], 95)
            )
            cells.append((
                model, f"{np.median(gaps):.5f}", f"{high:.5f}", f"{sure:.5f}", met(sure, BOUND, at_least=False),
                f"{unconverged:.1%}", silent, f"{calls:.0f}",
            ))  # fmt: skip
    columns = (
        "model", "median gap", "95th percentile", "of rows that say they converged", "", "converged: false",
        "wide and not said", "gradients a row",
    )  # fmt: skip
    show(f"Completeness gap of integrated gradients, {ROWS} rows each", columns, cells)


if __name__ == "__main__":
    main()
