"""Recurrent nets: what a step of time counts, by two methods that have nothing in common; packed sequences by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import digit_lines
import numpy as np
import pytest
from scipy.stats import spearmanr

from explainery.settings import load
from workers.local import Local, Order

ROWS = 60


@pytest.fixture(scope="module")
def lines_lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder: Path = tmp_path_factory.mktemp("lines")
    digit_lines.add_lines(folder)
    return Local(dataclasses.replace(load({}), models=str(folder), factories=("digit_lines",), device="cpu", threads=1))


def test_occlusion_and_integrated_gradients_agree_on_the_steps(lines_lab: Local) -> None:
    assert digit_lines.trained()[1] > 0.9
    rows = {"input": digit_lines.data()[0][-ROWS:]}
    _, by_steps = lines_lab.explain("lines", Order("occlusion", rows, {"window": [1], "stride": [1]}))
    _, by_paths = lines_lab.explain("lines", Order("integrated_gradients", rows, {}))
    both = [arrays["attributions.input"].sum(axis=2) for arrays in (by_steps, by_paths)]
    found = [spearmanr(one, two).statistic for one, two in zip(*both, strict=True)]
    assert np.mean(found) >= 0.8
