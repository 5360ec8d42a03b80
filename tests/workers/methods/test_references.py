"""We and the libraries that people know say the same: every case of `benchmarks/agreement.py`, through the engine.

More, each beside its method: Kernel and Permutation SHAP in `test_kernel_shap.py` and `test_permutation_shapley.py`, Owen
values in `test_owen.py`, interactions in `test_shapley_interactions.py`, integrated gradients, occlusion and other gradients
under their names, layers in `tests/workers/inside/test_against_captum.py`, rules in `tests/workers/inside/rules`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import references  # noqa: F401  # first: it imports shap quietly, and without compiling

# isort: split
from benchmarks import agreement
from workers.local import Local


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    return agreement.written(tmp_path_factory.mktemp("agreement"))


@pytest.mark.filterwarnings("ignore")  # the other libraries' own
@pytest.mark.parametrize("case", agreement.CASES, ids=lambda case: case.__name__)
def test_agrees(lab: Local, case: Callable[[Local], agreement.Agreement]) -> None:
    found = case(lab)
    assert found.share <= 1, (found.ours, found.theirs)
    assert np.abs(found.theirs).max() > 10 * found.allowed.min()  # there is something to agree on


def test_a_difference_is_seen(lab: Local) -> None:
    found = agreement.shap_linear(lab)
    other = agreement.exactly(found.ours * (1 + 1e-5), found.theirs)
    assert other.share > 1
    assert agreement.sampled(found.ours + 0.1, np.stack([found.theirs, found.theirs + 1e-3])).share > 1
