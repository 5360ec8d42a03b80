"""Checks notice what is wrong and leave alone what is right, on trained models: `benchmarks/quality_verdicts.py`, in short.

The rates over all rows are the benchmark's; with the few rows here, one row is several per cent.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import quality_verdicts as bench
from workers.local import Local

ROWS = {"digits-cnn": 16, "breast-cancer-mlp": 40, "diabetes-regressor": 89}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Local:
    return bench.laboratory(tmp_path_factory.mktemp("trained"))


@pytest.mark.parametrize("model", ROWS)
@pytest.mark.parametrize("method", [*bench.BAD, *bench.GOOD])
def test_verdicts(trained: Local, model: str, method: str) -> None:
    verdict, share = bench.MUST[method]
    rows = bench.rows_of(model, ROWS[model])
    if method == "kernel_shap" and model == "digits-cnn":
        rows = rows[:8]
    found = bench.rates(bench.faithful(trained, model, method, rows))
    assert found[verdict] >= share, found
    for explanation in bench.faithful(trained, model, method, rows[:2]):
        assert bool(explanation.quality.notes) or explanation.quality.verdict == "pass"


@pytest.mark.parametrize("model", ROWS)
def test_a_map_that_does_not_depend_on_the_weights_is_flagged(trained: Local, model: str) -> None:
    rows = bench.rows_of(model, 6)
    fixed, _ = bench.explained(trained, model, "fixed_pattern", rows, bench.RANDOMISED)
    assert [explanation.quality.verdict for explanation in fixed] == ["fail"] * 6
    honest, _ = bench.explained(trained, model, "integrated_gradients", rows, bench.RANDOMISED)
    assert np.mean([explanation.quality.verdict == "pass" for explanation in honest]) >= 0.8
