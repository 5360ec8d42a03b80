"""Pictures of what a real worker found out about the demo's trained models."""

from __future__ import annotations

import io
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stacks import Stack

from explainery.demo import models
from explainery.figures.colours import colours


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("figures"), EXPLAINERY_FACTORIES=models.FACTORIES)
    assert len(list(models.prepare(running.models, ["digits-cnn", "diabetes-regressor"]))) == 2
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def digit() -> Any:
    return models.held_out("digits-cnn").held_x[3]


def panels(figure: dict[str, Any]) -> list[Any]:
    """The pictures of a heat map, as the reader's browser decodes them."""
    urls = re.findall(r"data:image/png;base64,([\w+/=]+)", str(figure["spec"]))
    return [np.asarray(Image.open(io.BytesIO(b64decode(url)))) for url in urls]


def test_a_heat_map_of_a_digit(trained: Stack, digit: Any) -> None:
    job = trained.submit("digits-cnn", "integrated_gradients", [digit.tolist()])
    told = trained.result(job)["explanations"][0]
    amounts = np.array(told["attributions"][0]["data"]).reshape(8, 8)
    figure = trained.http.get(f"/v1/explanations/{job}/figures/auto.json").json()
    assert figure["kind"] == "heatmap"
    assert f"\u201c{told['target']['label']}\u201d" in figure["reading"]
    assert {(row[0], row[1]): row[2] for row in figure["table"]["rows"]} == {
        (line + 1, column + 1): amounts[line, column] for line in range(8) for column in range(8)
    }
    picture, drawn, _ = panels(figure)
    np.testing.assert_array_equal(picture[::32, ::32, 0], np.rint(255 * digit[0]))
    np.testing.assert_array_equal(drawn[::32, ::32], colours(amounts, np.abs(amounts).max()))
    for form in ("svg", "png", "html"):
        assert trained.http.get(f"/v1/explanations/{job}/figures/heatmap.{form}").status_code == 200


def test_an_image_that_came_as_a_file_is_shown(trained: Stack, digit: Any) -> None:
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * digit[0]).astype(np.uint8)).save(file, "PNG")
    row = {"b64": b64encode(file.getvalue()).decode(), "media_type": "image/png"}
    job = trained.submit("digits-cnn", "saliency", [row])
    trained.ended(job)
    figure = trained.http.get(f"/v1/explanations/{job}/figures/heatmap.json").json()
    np.testing.assert_array_equal(panels(figure)[0][::32, ::32, 0], np.rint(255 * digit[0]))
    assert trained.http.get(f"/v1/explanations/{job}/figures/waterfall.svg").json()["code"] == "figure_unfit"


def test_a_waterfall_of_a_patient_has_units_and_adds_up(trained: Stack) -> None:
    patient = models.held_out("diabetes-regressor").held_x[0]
    job = trained.submit("diabetes-regressor", "exact_shapley", [patient.tolist()], baseline="card")
    told = trained.result(job)["explanations"][0]
    figure = trained.http.get(f"/v1/explanations/{job}/figures/auto.json").json()
    rows = figure["table"]["rows"]
    assert figure["kind"] == "waterfall"
    assert (rows[0][2], rows[-1][2]) == (told["baseline_output"], told["instance_output"])
    assert sum(row[2] for row in rows[:-1]) == pytest.approx(told["instance_output"], rel=1e-9)
    amounts = told["attributions"][0]["data"]
    assert set(sorted(amounts, key=abs)[-9:]) <= {row[2] for row in rows}
    assert any(str(row[1]).endswith("kg/m²") for row in rows)
    svg = trained.http.get(f"/v1/explanations/{job}/figures/waterfall.svg").text
    said = {float(number) for number in re.findall(r'aria-label="[^"]*: (-?[\d.]+)"', svg)}
    assert {told["baseline_output"], told["instance_output"], *sorted(amounts, key=abs)[-9:]} <= said


def test_a_job_that_shares_an_answer_has_its_picture_too(trained: Stack, digit: Any) -> None:
    first = trained.submit("digits-cnn", "occlusion", [digit.tolist()])
    trained.ended(first)
    second = trained.submit("digits-cnn", "occlusion", [digit.tolist()])
    assert trained.job(second)["dedupe_of"] == first
    trained.http.delete(f"/v1/explanations/{first}")
    assert trained.http.get(f"/v1/explanations/{first}/figures/heatmap.json").status_code == 410
    assert len(panels(trained.http.get(f"/v1/explanations/{second}/figures/heatmap.json").json())) == 3


def test_what_a_layer_sees_is_a_grid_of_maps(trained: Stack, digit: Any) -> None:
    job = trained.submit("digits-cnn", "grad_cam", [digit.tolist()])
    (raw,) = trained.result(job)["explanations"][0]["maps"]
    figure = trained.http.get(f"/v1/explanations/{job}/figures/activations.json").json()
    assert raw["layer"] in figure["reading"]
    assert figure["table"]["rows"] == [[0, pytest.approx(np.mean(raw["data"])), min(raw["data"]), max(raw["data"])]]
    assert trained.http.get(f"/v1/explanations/{job}/figures/auto.json").json()["kind"] == "heatmap"
    assert trained.http.get(f"/v1/explanations/{job}/figures/auto.svg?layer=none").status_code == 422
