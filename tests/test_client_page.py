"""The blocks of docs/client.md run as they stand, in their order, against a service on the examples' models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from blocks import blocks
from serving import run_block, serving

ROOT = Path(__file__).parents[1]
PAGE = blocks((ROOT / "docs/client.md").read_text(encoding="utf-8"))


@pytest.mark.timeout(300)
def test_the_blocks_run(tmp_path: Path) -> None:
    assert [block.language for block in PAGE if block.runs] == ["python", "python", "python", "python", "sh"]
    assert all(block.runs for block in PAGE)
    with serving(tmp_path / "home", ROOT / "examples/models") as url:
        one, shap, many, awaited, shell = [run_block(block.language, block.code, url, tmp_path) for block in PAGE]
    assert "'income', 'debt', 'years employed', 'late payments'" in one
    assert all(name in shap for name in ("ann", "bob", "eve", "late payments"))
    assert (tmp_path / "beeswarm.png").stat().st_size > 5000
    assert many.startswith("300 ")
    assert awaited.splitlines()[-2:] == ["explanation.succeeded succeeded", "(1, 4)"]
    assert "ready: yes" in shell
    assert json.loads(shell[shell.rindex('{\n  "predictions"') :])["predictions"][0]
    assert (tmp_path / "result.npz").exists()
