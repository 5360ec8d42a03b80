"""What a figure shows is what the result says: in its table, in the SVG's words, in the PNG's colours."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
import pictured
import pytest
from PIL import Image

from explainery.figures import render
from explainery.figures.colours import ANCHORS, colours
from explainery.figures.gallery import draw
from explainery.figures.render import SCALE
from explainery.figures.subject import Subject
from explainery.figures.words import MINUS, number

SVG = "{http://www.w3.org/2000/svg}"


def spoken(subject: Subject, kind: str) -> dict[str, float]:
    """What the marks of the SVG say: name -> number."""
    tree = pictured.tree_of(render.svg(draw(kind, subject)))
    said = [mark.get("aria-label") or "" for mark in tree.iter() if mark.get("aria-label")]
    found = [re.fullmatch(r"(.*?): (-?[\d.]+(?:e-?\d+)?)(?:; .*)?", label, re.DOTALL) for label in said]
    return {match[1]: float(match[2]) for match in found if match}


def written(subject: Subject, kind: str) -> list[str]:
    return [text.text or "" for text in pictured.tree_of(render.svg(draw(kind, subject))).iter(f"{SVG}text")]


def test_the_waterfall_goes_from_output_to_output() -> None:
    subject = pictured.patient()
    rows = draw("waterfall", subject).rows
    assert rows[0][2:] == (88.5, 88.5, 88.5)
    assert rows[-1][2:] == (subject.instance_output,) * 3
    steps = rows[1:-1]
    assert [row[3] for row in steps] == [row[4] for row in rows[:-2]]
    assert steps[-1][4] == pytest.approx(subject.instance_output, rel=1e-12)
    largest = sorted(pictured.SHARES, key=lambda share: -abs(share))
    assert [row[2] for row in steps[:9]] == largest[:9]
    assert steps[9][2] == sum(largest[9:])
    assert (steps[0][0], steps[0][1]) == ("body mass index", "36.1 kg/m²")
    assert ("sex", "male") in [row[:2] for row in steps]
    said = spoken(subject, "waterfall")
    assert said["body mass index = 36.1 kg/m²"] == 61.875
    assert said["output of this row"] == subject.instance_output
    assert said["the other 2 features"] == 0.09375
    texts = written(subject, "waterfall")
    assert {"88.5 points", "186.5 points", "+61.88", f"{MINUS}11.5", "sex = male"} <= set(texts)


def test_what_is_not_attributed_is_a_step_of_its_own() -> None:
    subject = pictured.patient(change=sum(pictured.SHARES) + 2.0)
    steps = draw("waterfall", subject).rows[1:-1]
    assert steps[-1][0] == "not attributed (completeness gap)"
    assert steps[-1][2] == pytest.approx(2.0)
    assert steps[-1][4] == pytest.approx(subject.instance_output)


def test_bars_show_every_attribution_and_its_error() -> None:
    errors = [abs(share) / 8 for share in pictured.SHARES]
    told = pictured.document(pictured.attribution(pictured.SHARES, standard_error=errors), gap=None)
    subject = pictured.read_subject(told, 0, pictured.TABLE)
    figure = draw("bars", subject)
    assert {row[0]: row[2] for row in figure.rows} == dict(zip(pictured.NAMES, pictured.SHARES, strict=True))
    assert {row[0]: row[3] for row in figure.rows} == dict(zip(pictured.NAMES, errors, strict=True))
    said = spoken(subject, "bars")
    assert {name: said[name] for name in pictured.NAMES} == dict(zip(pictured.NAMES, pictured.SHARES, strict=True))
    tree = render.svg(figure).decode()
    assert f"standard error: {errors[2]!r}" in tree
    assert "+61.88 ± 7.7" in tree


def test_what_is_exact_has_no_error_beside_it() -> None:
    told = pictured.document(pictured.attribution([2.0, -1.0], standard_error=[0.0, 0.0]))
    assert "±" not in render.svg(draw("bars", pictured.read_subject(told, 0))).decode()


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (131.7, 2, "132"),
        (9999.96, 4, "10000"),
        (1.25e-4, 4, "0.000125"),
        (2.5e7, 4, "2.5e7"),
        (-31234.6, 4, f"{MINUS}31235"),
    ],
)
def test_numbers_have_no_exponent_where_they_need_none(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_a_pixel_is_named_by_line_and_column() -> None:
    names = {row[0] for row in draw("bars", pictured.digit()).rows}
    assert "line 6, column 9, channel 1" in names
    assert not any(name.startswith("input[") for name in names)


def test_no_probability_is_written_beyond_one() -> None:
    output = {"name": "p", "datatype": "FP32", "shape": (-1, 2), "kind": "probabilities"}
    card = pictured.card({"name": "input", "shape": (-1, 2), "modality": "tabular"}, output)
    row = {"target": {"output": "p", "index": 0}, "baseline_output": 0.4, "instance_output": 0.98}
    told = pictured.document(pictured.attribution([0.5, 0.08]), row=row)
    marks = set(written(pictured.read_subject(told, 0, card), "waterfall"))
    assert {"0.6", "0.8", "1.0"} <= marks
    assert not {"1.1", "1.2"} & marks


def test_many_attributions_are_counted_and_summed() -> None:
    values = np.arange(1.0, 300_001)
    figure = draw("bars", pictured.read_subject(pictured.document(pictured.attribution(values)), 0))
    assert len(figure.rows) == 200
    assert figure.rows[0][:3] == ("input[299999]", None, 300_000.0)
    assert "The 299980 elements that are not drawn" in figure.notes[0]
    steps = draw("waterfall", pictured.read_subject(pictured.document(pictured.attribution(values)), 0)).rows
    assert steps[10][0] == "the other 299991 features"
    assert steps[10][2] == pytest.approx(math.fsum(values[:-9]))


def test_several_inputs_are_told_apart() -> None:
    both = [pictured.attribution([1.0, -2.0], name, features=["a", "b"]) for name in ("left", "right")]
    rows = draw("bars", pictured.read_subject(pictured.document(*both), 0)).rows
    assert sorted(row[0] for row in rows) == ["left: a", "left: b", "right: a", "right: b"]


def value_of(pixel: Any, limit: float) -> float:
    """The amount that a colour of the map stands for: the nearest place on the lines between its anchors."""
    places = np.linspace(-1, 1, 4001)
    table = colours(places, 1.0).astype(float)
    return float(places[((table - pixel) ** 2).sum(axis=1).argmin()] * limit)


def test_a_heat_map_can_be_read_back_from_its_png() -> None:
    """The three panels lie side by side under the title; the attribution is the second."""
    subject = pictured.digit()
    summed = subject.pieces[0].values.sum(axis=0)
    limit = float(np.abs(summed).max())
    figure = draw("heatmap", subject)
    pixels = np.asarray(Image.open(io.BytesIO(render.png(figure))).convert("RGB"))
    image = next(
        mark for mark in pictured.tree_of(render.svg(figure)).iter(f"{SVG}image") if "attribution" in mark.get("aria-label", "")
    )
    left, top = upper_left(figure, image)
    side = float(image.get("width", 0)) / 16
    middles = [[(top + (line + 0.5) * side, left + (column + 0.5) * side) for column in range(16)] for line in range(12)]
    read = np.array([[value_of(pixels[int(y * SCALE), int(x * SCALE)], limit) for y, x in line] for line in middles])
    np.testing.assert_allclose(read, summed, atol=limit / 100)
    assert {row[:2]: row[2] for row in figure.rows[:3]}[(6, 9)] == summed[5, 8]
    assert {"0", f"+{limit:.4g}", f"{MINUS}{limit:.4g}"} <= set(written(subject, "heatmap"))


def upper_left(figure: Any, image: Any) -> tuple[float, float]:
    """Where an image lies in the whole SVG: its own shift and those of all groups around it."""
    tree = pictured.tree_of(render.svg(figure))
    label = image.get("aria-label")

    def search(node: Any, x: float, y: float) -> tuple[float, float] | None:
        found = re.match(r"translate\(([-\d.]+),([-\d.]+)\)", node.get("transform", ""))
        x, y = (x + float(found[1]), y + float(found[2])) if found else (x, y)
        if node.get("aria-label") == label and node.tag == f"{SVG}image":
            return x, y
        return next((place for child in node if (place := search(child, x, y))), None)

    place = search(tree, 0.0, 0.0)
    assert place is not None
    return place


def test_tokens_series_and_attention_say_their_numbers() -> None:
    subject = pictured.sentence()
    amounts = subject.pieces[0].values
    assert [row[2] for row in draw("tokens", subject).rows] == amounts.tolist()
    assert spoken(subject, "tokens")["film"] == amounts[1]
    waves = pictured.waves()
    said = spoken(waves, "series")
    assert said == {f"channel {c}, step {t}": float(waves.pieces[0].values[c, t]) for c in range(3) for t in range(60)}
    weights = spoken(pictured.attended(), "attention")
    assert weights["head 2 to 4 <b>not</b>"] == pytest.approx(pictured.HEADS[2, :, 4].mean())
    one = spoken(pictured.one_head(), "attention")
    assert one["1 the to 6 &"] == pictured.HEADS[2, 1, 6]


def test_windows_and_merged_heads_are_attention_too() -> None:
    windows = np.stack([pictured.HEADS, pictured.HEADS[:, ::-1]])
    for values, axes, wanted in (
        (windows, ["window", "head", "query", "key"], windows.mean(axis=0)[1].mean(axis=0)[4]),
        (pictured.HEADS[1], ["query", "key"], pictured.HEADS[1][1, 4]),
    ):
        entry = {"name": "relevance", "shape": list(values.shape), "axes": axes, "data": values.reshape(-1).tolist()}
        said = spoken(pictured.read_subject(pictured.document(row={"maps": [entry]}), 0), "attention")
        name = "head 1 to token 4" if len(axes) == 4 else "token 1 to token 4"
        assert said[name] == pytest.approx(wanted)


def test_layers_say_what_the_report_says() -> None:
    figure = draw("layers", pictured.reported())
    assert [(row[0], row[2]) for row in figure.rows][3] == ("classifier.0", 0.001)
    assert figure.notes == ("Gradients vanish from features.3 on.",)
    texts = written(pictured.reported(), "layers")
    assert {"0.001", "0.8", "not known", "classifier.0 (Linear)"} <= set(texts)


def test_maps_say_their_means() -> None:
    subject = pictured.activated()
    said = spoken(subject, "activations")
    assert said["channel 13, mean"] == pytest.approx(subject.pieces[0].values[13].mean())
    assert sum(name.endswith(", mean") for name in said) == 20
    assert spoken(pictured.ascended(), "picture") == {"logit of “3”": 88.5}


def test_the_map_is_made_of_viks_colours() -> None:
    cmap = pytest.importorskip("cmap")
    vik = cmap.Colormap("crameri:vik")
    wanted = [vik(1 - place / (len(ANCHORS) - 1)).hex for place in range(len(ANCHORS))]
    assert [anchor.upper() for anchor in ANCHORS] == [colour.upper() for colour in wanted]
