"""A concept that the net uses is found, one that it ignores is not, and what cannot be tested is said."""

from __future__ import annotations

import dataclasses
from typing import Any

import concept_nets
import numpy as np
import pytest
import repos
from concept_nets import IGNORED, USED, WIDTH
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError
from explainery.settings import load
from workers.local import Local, Order

assert concept_nets.planted
SIZE = 12


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("planted")
    table = repos.tensor_input("input", [WIDTH])
    repos.add_torch(folder, "planted", "concept_nets:planted", {}, table, repos.output(1, kind="regression"))
    return Local(dataclasses.replace(load({}), models=str(folder), factories=("concept_nets",), device="cpu", threads=1))


def rows_of(seed: int, randoms: int = 12, **concepts: tuple[int, float]) -> tuple[NDArray[Any], list[str]]:
    """Examples, concepts (normal rows moved along an element), and random sets."""
    rng = np.random.Generator(np.random.Philox(seed))
    rows, labels = [rng.normal(size=(20, WIDTH))], ["example"] * 20
    for name, (element, shift) in concepts.items():
        moved = rng.normal(size=(SIZE, WIDTH))
        moved[:, element] += shift
        rows.append(moved)
        labels += [name] * SIZE
    for number in range(randoms):
        rows.append(rng.normal(size=(SIZE, WIDTH)))
        labels += [f"random/{number}"] * SIZE
    return np.concatenate(rows).astype(np.float32), labels


def tcav(lab: Local, rows: NDArray[Any], labels: Any, **params: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    order = Order("tcav", {"input": rows}, {"sets": labels, "layer": "inner", **params}, target=None)
    result, arrays = lab.explain("planted", order)
    assert result.report is not None
    return result.report, arrays


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_concept(planted: Local, seed: int) -> None:
    rows, labels = rows_of(seed, up=(USED, 4.0), down=(USED, -4.0), ignored=(IGNORED, 4.0))
    report, arrays = tcav(planted, rows, labels)
    up, down, ignored = report["concepts"]
    assert (up["significant"], down["significant"], ignored["significant"]) == (True, True, False)
    assert up["score"] > 0.9
    assert down["score"] < 0.1
    assert up["sensitivity"] > 0 > down["sensitivity"]
    assert "up: moving towards it raises the score" in up["text"]
    assert "down: moving towards it lowers the score" in down["text"]
    assert "ignored: not significant" in ignored["text"]
    assert ignored["accuracy"] > 0.7  # the layer holds the concept; the score does not care
    for number, element in enumerate((USED, USED, IGNORED)):
        direction = arrays[f"maps.direction_{number}.inner"]
        assert int(np.abs(direction).argmax()) == element
    assert 0.2 < report["random"]["score"] < 0.8
    assert report["level"] == pytest.approx(0.05 / 3)


def test_the_score_is_the_share_of_rising_examples(planted: Local) -> None:
    """Against the gradient worked out by hand, along the direction that the report gives."""
    rows, labels = rows_of(1, up=(USED, 4.0))
    report, arrays = tcav(planted, rows, labels)
    h = rows[:20].astype(float)
    slopes = np.zeros_like(h)
    slopes[:, 0] = (1 - np.tanh(h[:, 0] / 2) ** 2) / 2
    outer = (1 - np.tanh(h[:, 1] * h[:, 3]) ** 2) / 2
    slopes[:, 1], slopes[:, 3] = outer * h[:, 3], outer * h[:, 1]
    along = slopes @ arrays["maps.direction_0.inner"]
    assert report["concepts"][0]["sensitivity"] == pytest.approx(along.mean(), rel=1e-4)
    assert report["concepts"][0]["score"] == pytest.approx((along > 0).mean(), abs=0.1)


def test_rows_may_come_in_any_order(planted: Local) -> None:
    rows, labels = rows_of(2, up=(USED, 4.0))
    order = np.random.Generator(np.random.Philox(9)).permutation(len(rows))
    shuffled = tcav(planted, rows[order], [labels[number] for number in order])[0]
    plain = tcav(planted, rows, labels)[0]
    assert shuffled["concepts"][0]["sensitivity"] == pytest.approx(plain["concepts"][0]["sensitivity"], rel=1e-4)
    assert shuffled["concepts"][0]["significant"] is plain["concepts"][0]["significant"] is True


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (None, "invalid_parameter"),
        (["example"] * 24, "invalid_parameter"),
        (["example"] * 10 + ["random/0"] * 5 + ["random/1"] * 5 + ["random/2"] * 5, "concept_set_too_small"),
        (["example"] * 6 + ["c"] * 4 + ["random/0"] * 5 + ["random/1"] * 5 + ["random/2"] * 5, "concept_set_too_small"),
        (["example"] * 10 + ["c"] * 5 + ["random/0"] * 5 + ["random/1"] * 5, "concept_set_too_small"),
    ],
)
def test_sets_that_are_too_small(planted: Local, labels: Any, code: str) -> None:
    """What the door refuses is refused by the worker, too."""
    with pytest.raises(ExplaineryError) as refusal:
        tcav(planted, np.ones((25, WIDTH), np.float32), labels)
    assert refusal.value.code == code


def test_a_layer_that_is_too_large(planted: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = rows_of(1, up=(USED, 4.0))
    monkeypatch.setattr(planted.registry.methods["tcav"], "MOST_NUMBERS", 100)
    with pytest.raises(ExplaineryError, match="take a smaller layer") as refusal:
        tcav(planted, rows, labels)
    assert refusal.value.code == "invalid_parameter"
