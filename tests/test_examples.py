"""The examples run, and so does the page about adding a method: one service, one dropped-in plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from blocks import blocks
from serving import run_block, serving

from explainery import Client, ServiceError

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGE = blocks((ROOT / "docs/adding-a-method.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with the page's plugin in the place the page names."""
    (plugin,) = [block for block in PAGE if block.mark.startswith("a plugin")]
    folder = tmp_path_factory.mktemp("user")
    (folder / "my-plugins/methods").mkdir(parents=True)
    (folder / "my-plugins/methods/one_by_one.py").write_text(plugin.code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder / "home", ROOT / "examples/models", EXPLAINERY_PLUGINS=str(folder / "my-plugins")) as address:
        yield address


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(url: str, folder: Path, example: Path):
    said = run_block(
        "python",
        f"import runpy, sys; sys.argv = ['example', {url!r}]; runpy.run_path({str(example)!r}, run_name='__main__')",
        url,
        folder,
    )
    assert len(said.splitlines()) >= 2


def test_the_score_is_explained_as_its_formula_says(url: str):
    weights = {"income": 0.004, "debt": -0.02, "years employed": 0.5, "late payments": -12.0}
    applicant = {"income": 2100, "debt": 650, "years employed": 2, "late payments": 1}
    with Client(url) as client:
        result = client.explain("credit-score", [applicant], "exact_shapley", baseline="zeros")
    expected = [weights[name] * applicant[name] for name in applicant]
    assert result.attributions["input"][0] == pytest.approx(expected, abs=1e-4)


def test_the_page_runs(url: str, folder: Path):
    said = [run_block(block.language, block.code, url, folder) for block in PAGE if block.runs]
    assert said[0].strip() == "[[ 0. 15.]]"
    assert len(said) == 2


def test_the_new_method_is_checked_like_any_other(url: str):
    with Client(url) as client:
        (spec,) = [method for method in client.methods() if method["name"] == "one_by_one"]
        assert [param["name"] for param in spec["params"]] == ["backwards"]
        result = client.explain("interaction", [[3.0, 5.0]], "one_by_one", params={"backwards": True}, baseline="zeros")
        assert result.attributions["input"].tolist() == [[15.0, 0.0]]
        assert result.explanations[0].quality.completeness_gap == pytest.approx(0)
        with pytest.raises(ServiceError) as refused:
            client.submit("interaction", [[3.0, 5.0]], "one_by_one", params={"backwards": 1})
    assert (refused.value.status, refused.value.code) == (422, "invalid_parameter")
