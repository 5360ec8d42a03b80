"""Pictures that excite a class or a unit: exact where the answer is known, and better than any row of the job."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest
import repos
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError
from explainery.demo import digits, models
from explainery.settings import load
from workers.explaining_whole import bounds_of
from workers.local import Local, Order

Found = tuple[dict[str, Any], dict[str, NDArray[Any]]]
ALL = bool(os.environ.get("EXPLAINERY_ALL_DIGITS"))
"""Whether all ten digits are painted against all 1437 training rows; else three against 200."""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("gallery")
    list(models.prepare(folder, ["digits-cnn"]))
    image = {"modality": "image", "layout": "NHWC", "range": [0, 1], "mean": [0.5, 0.4], "std": [0.25, 0.5]}
    coloured = repos.tensor_input("input", [6, 5, 2], **image)
    repos.add_torch(folder, "coloured", "nets:flat", {"features": 60}, coloured, repos.output(3))
    factories = (*models.FACTORIES.split(","), "nets")
    return Local(dataclasses.replace(load({}), models=str(folder), factories=factories, device="cpu", threads=1))


def paint(lab: Local, model: str, rows: NDArray[Any], target: Any = 0, seed: int = 0, **params: Any) -> Found:
    result, arrays = lab.explain(model, Order("activation_maximization", {"input": rows}, params, target=target, seed=seed))
    assert result.report is not None
    return result.report, arrays


def normal(*shape: int) -> NDArray[Any]:
    return np.random.Generator(np.random.Philox(3)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("digit", range(10) if ALL else (1, 6, 8))
@pytest.mark.parametrize("parameterisation", ["pixel", "fourier"])
def test_a_digit_that_excites_more_than_any_training_row(gallery: Local, digit: int, parameterisation: str) -> None:
    data = digits.data()
    rows = data.train_x if ALL else data.train_x[data.train_y == digit][:200]
    params = {} if ALL else {"steps": 96, "learning_rate": 0.1}
    report, arrays = paint(gallery, "digits-cnn", rows, digit, parameterisation=parameterisation, **params)
    print(digit, parameterisation, report["score"], report["best_sample"]["score"])  # noqa: T201  # the table of the long run
    assert report["score"] > report["best_sample"]["score"]
    assert report["above_best_sample"] is True
    assert report["objective"] == {"kind": "output", "output": "logits", "index": digit, "label": str(digit)}
    picture = arrays["maps.picture"]
    assert picture.shape == (1, 8, 8)
    assert picture.min() >= 0
    assert picture.max() <= 1
    outputs = gallery.load("digits-cnn").model
    said = outputs.fetch(outputs.forward({"input": outputs.place(np.stack([picture, *rows]))}))[:, digit]
    assert said[0] == pytest.approx(report["score"], rel=1e-4)
    assert said[1:].max() == pytest.approx(report["best_sample"]["score"], rel=1e-4)
    assert int(said[1:].argmax()) == report["best_sample"]["row"]


def test_the_best_of_a_linear_model_is_a_corner(lab: Local) -> None:
    """f = 2 a - b + c / 2 + 3 d + 1: every element at the end of its range that the weight's sign says."""
    rows = normal(6, 4).astype(np.float64)
    report, arrays = paint(lab, "linear-torch", rows, None, steps=64)
    corner = np.where(np.array([2, -1, 0.5, 3]) > 0, rows.max(), rows.min())
    np.testing.assert_allclose(arrays["maps.picture"], corner, rtol=1e-6)
    assert report["score"] == pytest.approx(float(np.dot([2, -1, 0.5, 3], corner)) + 1)
    assert report["inputs"][0]["range_of"] == "rows"


def test_a_tables_features_keep_to_their_own_ranges(lab: Local) -> None:
    rows = normal(6, 4) * np.array([1, 10, 100, 0], dtype=np.float32)
    _, arrays = paint(lab, "table", rows, None, steps=64)
    low, high = rows.min(axis=0), rows.max(axis=0)
    picture = arrays["maps.picture"]
    assert all(value in (pytest.approx(a), pytest.approx(b)) for value, a, b in zip(picture, low, high, strict=True))


@pytest.mark.parametrize("unit", [5, [5]])
def test_a_unit_of_a_layer(lab: Local, unit: Any) -> None:
    """The unit's value at the picture is what the layer itself says, and the target plays no part."""
    rows = normal(8, 6)
    report, arrays = paint(lab, "mlp", rows, "predicted", layer="1", unit=unit, steps=64)
    assert report["objective"] == {"kind": "unit", "layer": "1", "unit": [5]}
    _, shown = lab.explain("mlp", Order("layer_activation", {"input": arrays["maps.picture"][None]}, {"layer": "1"}))
    assert shown["attributions.1"][0, 5] == pytest.approx(report["score"], rel=1e-4)
    assert report["score"] > report["best_sample"]["score"]


def test_a_channel_means_its_mean(lab: Local) -> None:
    report, arrays = paint(lab, "cnn", normal(4, 1, 8, 8), layer="1", unit=2, steps=48)
    _, shown = lab.explain("cnn", Order("layer_activation", {"input": arrays["maps.picture"][None]}, {"layer": "1"}))
    assert shown["attributions.1"][0, 2].mean() == pytest.approx(report["score"], rel=1e-4)


def test_several_inputs_are_painted_together(lab: Local) -> None:
    rows = {"table": normal(5, 3), "picture": normal(5, 1, 4, 4)}
    result, arrays = lab.explain("both", Order("activation_maximization", rows, {"steps": 64}, target=1))
    assert result.report is not None
    assert result.report["above_best_sample"]
    assert arrays["maps.picture.table"].shape == (3,)
    assert arrays["maps.picture.picture"].shape == (1, 4, 4)


def test_seeds_and_starts(lab: Local) -> None:
    rows = normal(4, 6)
    first, again, other = (paint(lab, "mlp", rows, seed=seed, steps=30)[1]["maps.picture"] for seed in (1, 1, 2))
    np.testing.assert_allclose(first, again, atol=1e-6)
    assert not np.allclose(first, other, atol=1e-6)
    one, four = (paint(lab, "mlp", rows, seed=1, steps=30, starts=starts)[0]["score"] for starts in (1, 4))
    assert four >= one - 1e-5


def test_the_way_there(lab: Local) -> None:
    report, arrays = paint(lab, "cnn", normal(4, 1, 8, 8), steps=40, jitter=2, blur=0.5, total_variation=0.1, l2=0.1)
    assert len(report["scores"]) == 40
    assert [each["step"] for each in report["pictures"]] == [0, 10, 20, 30]
    assert report["pictures"][0]["score"] < report["score"]
    assert {f"maps.{each['map']}" for each in report["pictures"]} < set(arrays)


def test_penalties_keep_a_picture_near_the_mean(lab: Local, gallery: Local) -> None:
    rows = normal(6, 1, 8, 8)
    mean = rows.mean(axis=0)
    far, near = (paint(lab, "cnn", rows, steps=60, l2=weight)[1]["maps.picture"] for weight in (0.0, 1000.0))
    assert np.abs(near - mean).mean() < np.abs(far - mean).mean() / 3
    inks = digits.data().train_x[:20]
    rough, smooth = (
        paint(gallery, "digits-cnn", inks, 3, steps=60, total_variation=weight)[1]["maps.picture"] for weight in (0.0, 1000.0)
    )
    assert np.abs(np.diff(smooth, axis=2)).mean() < np.abs(np.diff(rough, axis=2)).mean() / 3


@pytest.mark.parametrize("parameterisation", ["pixel", "fourier"])
def test_a_normalised_picture_stays_in_its_cards_range(gallery: Local, parameterisation: str) -> None:
    """0 to 1, less the mean, by the standard deviation, of each channel; however large the rows are."""
    report, arrays = paint(gallery, "coloured", 9 * normal(5, 6, 5, 2), steps=80, parameterisation=parameterisation)
    low, high = (np.array([(end - 0.5) / 0.25, (end - 0.4) / 0.5]) for end in (0, 1))
    picture = arrays["maps.picture"]
    assert (picture.min(axis=(0, 1)) >= low - 1e-6).all()
    assert (picture.max(axis=(0, 1)) <= high + 1e-6).all()
    assert report["inputs"][0]["range_of"] == "card"


def test_bounds_of_a_table_are_each_features(lab: Local) -> None:
    rows = np.array([[1.0, 10, 0, 0], [3.0, 20, 0, 0]])
    bounds = bounds_of(lab.load("table").card.inputs[0], rows)
    assert (bounds.lowest[:2].tolist(), bounds.highest[:2].tolist(), bounds.mean[:2].tolist()) == ([1, 10], [3, 20], [2, 15])


REFUSED: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "a unit without a layer": (0, {"unit": 1}, "invalid_parameter", "layer"),
    "a layer without a unit": (0, {"layer": "1"}, "invalid_parameter", "unit"),
    "no such unit": (0, {"layer": "1", "unit": 16}, "invalid_parameter", "names no unit"),
    "no such layer": (0, {"layer": "9", "unit": 0}, "unknown_layer", "no layer of that name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_painted(lab: Local, what: str) -> None:
    target, params, code, words = REFUSED[what]
    with pytest.raises(ExplaineryError, match=words) as refusal:
        paint(lab, "mlp", normal(3, 6), target, **params)
    assert refusal.value.code == code


def test_targets_that_differ(lab: Local) -> None:
    rows = 5 * normal(20, 6)
    model = lab.load("mlp").model
    assert len(set(model.fetch(model.forward({"input": model.place(rows)})).argmax(1))) > 1
    with pytest.raises(ExplaineryError, match="targets differ") as refusal:
        paint(lab, "mlp", rows, "predicted")
    assert refusal.value.code == "invalid_target"
    report, _ = paint(lab, "mlp", rows[:1], "predicted", steps=4)
    assert report["objective"]["index"] == int(model.fetch(model.forward({"input": model.place(rows[:1])})).argmax())


def test_rows_without_a_range(lab: Local) -> None:
    with pytest.raises(ExplaineryError, match="no range to paint in") as refusal:
        paint(lab, "mlp", np.ones((3, 6), np.float32))
    assert refusal.value.code == "invalid_input"
