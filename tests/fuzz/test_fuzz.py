"""A short fuzz run, the same one each time: all of schemathesis' checks, and no canary in any log or error body.

The examples go to an API that asks nobody, the rest to one that asks for keys.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from fuzzing import fuzz

TWICE = "(_by_put|_of_version)$"
"""Operations that are another by a second address."""


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing_and_no_canary_comes_back(tmp_path: Path) -> None:
    forms = {
        "open": ["--phases", "examples", "--seed", "1"],
        "keys": ["--phases", "coverage", "--seed", "1", "--exclude-operation-id-regex", TWICE],
    }
    runs = fuzz(tmp_path, forms, limit_s=240)
    for run in runs.values():
        assert run.passed, run.told[-6000:]
        assert run.leaks == []
        assert run.logs >= 4  # the service's, the worker's, the courier's, the supervisor's
        assert not [status for status in run.statuses if status >= 500]
    assert runs["open"].statuses.total() > 50
    assert {200, 201, 202, 404, 409, 422} <= set(runs["open"].statuses)
    assert runs["keys"].statuses.total() > 1000
    assert {200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 415, 422} <= set(runs["keys"].statuses)
