"""README's blocks run as they stand, in their order, against a service on the demo's model that they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from blocks import NOT_RUN, blocks
from serving import run_block, serving

from explainery.demo import models

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks(README)


def test_a_block_that_is_not_run_says_why():
    marked = [block for block in BLOCKS if block.mark]
    assert all(block.mark.startswith(NOT_RUN) and len(block.mark) > len(NOT_RUN) + 10 for block in marked)
    assert len([block for block in BLOCKS if block.runs]) >= 3


@pytest.mark.timeout(240)
def test_the_blocks_run(tmp_path: Path):
    repository = tmp_path / "models"
    assert list(models.prepare(repository, ["diabetes-regressor"])) == ["diabetes-regressor"]
    with serving(tmp_path / "home", repository) as url:
        said = [run_block(block.language, block.code, url, tmp_path) for block in BLOCKS if block.runs]
    assert json.loads(said[0])["status"] == "succeeded"
    assert "body mass index" in said[1]
    assert "diabetes-regressor" in said[2]
