"""Every request of ours on the page about migrating is run, and gives the numbers of the native route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blocks import NOT_RUN, blocks
from serving import run_block, serving

from explainery import Client
from explainery.demo import models

PAGE = blocks((Path(__file__).parents[1] / "docs/migrating.md").read_text(encoding="utf-8"))


def test_theirs_is_marked_and_stands_before_ours() -> None:
    theirs = [block for block in PAGE if block.mark]
    assert len(theirs) == 5
    assert all(block.mark == f"{NOT_RUN}the platform's own request" for block in theirs)
    assert [block.runs for block in PAGE] == [True] + [False, True] * 5


@pytest.mark.timeout(240)
def test_ours_give_the_native_numbers(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    assert list(models.prepare(repository, ["diabetes-regressor"])) == ["diabetes-regressor"]
    with serving(tmp_path / "home", repository) as url:
        said: list[Any] = [json.loads(run_block(block.language, block.code, url, tmp_path)) for block in PAGE if block.runs]
        with Client(url) as client:
            clarify = client.result(said[5]["id"])
    native, v1, v2, vertex, torchserve, _ = said
    (row,) = native["explanations"]
    (attribution,) = row["attributions"]
    wanted = attribution["data"]
    assert len(wanted) == 10
    assert v1["explanations"][0]["attributions"][0]["featureAttributions"] == {"input": wanted}
    np.testing.assert_allclose(v1["predictions"], [[row["instance_output"]]], rtol=1e-6)
    tensors = {output["name"]: output["data"] for output in v2["outputs"]}
    assert (v2["id"], tensors["attributions"]) == ("42", wanted)
    assert tensors["instance_output"] == [row["instance_output"]]
    by_name = vertex["explanations"][0]["attributions"][0]["featureAttributions"]
    assert by_name == dict(zip(attribution["features"], wanted, strict=True))
    assert torchserve == wanted
    moved = clarify.instance_output[0] - clarify.baseline_output[0]
    assert clarify.attributions["input"][0].sum() == pytest.approx(moved, rel=1e-3)
