"""A short fuzz run, the same one each time: all of schemathesis' checks, and no canary in any log or error body."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from fuzzing import fuzz


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing_and_no_canary_comes_back(tmp_path: Path) -> None:
    run = fuzz(tmp_path, "--phases", "examples,coverage", "--seed", "1", limit_s=240)
    assert run.passed, run.told[-6000:]
    assert run.leaks == []
    assert run.logs >= 4  # the service's, the worker's, the courier's, the supervisor's
    assert run.statuses.total() > 1000
    assert {200, 201, 202, 204, 400, 404, 405, 409, 415, 422} <= set(run.statuses)
    assert not [status for status in run.statuses if status >= 500]
