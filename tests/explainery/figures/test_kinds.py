"""Every kind: is drawn whole, fits what it should, and nothing that a client wrote breaks out of it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pictured
import pytest

from explainery.contract.errors import FigureUnfit, RequestRefused, UnknownFigure
from explainery.figures import render
from explainery.figures.gallery import KINDS, best, draw, fitting
from explainery.figures.page import page
from explainery.figures.subject import Subject, read_subject

DRAWN = {
    "waterfall": pictured.patient, "bars": pictured.patient, "heatmap": pictured.digit, "tokens": pictured.sentence,
    "series": pictured.waves, "layers": pictured.reported, "activations": pictured.activated, "picture": pictured.ascended,
    "attention": pictured.attended, "curves": pictured.followed, "changes": pictured.otherwise, "importance": pictured.shuffled,
    "interactions": pictured.paired, "removal": pictured.removed,
    "rule": lambda: pictured.ruled({"feature": "age", "low": 30.0}),
}  # fmt: skip


def test_every_kind_is_tried() -> None:
    assert set(DRAWN) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_in_every_form(kind: str) -> None:
    figure = draw(kind, DRAWN[kind]())
    assert figure.kind == kind
    assert any(letter.isdigit() for letter in figure.reading)
    assert figure.reading.endswith(".")
    assert figure.rows
    assert all(len(row) == len(figure.columns) for row in figure.rows)
    json.dumps(figure.document(), allow_nan=False)
    svg = render.svg(figure)
    drawn = "".join(pictured.tree_of(svg).itertext())
    assert figure.reading.split()[0] in drawn
    assert "undefined" not in drawn
    assert "NaN" not in svg.decode()
    assert render.png(figure)[:8] == b"\x89PNG\r\n\x1a\n"
    whole = Text.of(page(figure, render.svg(figure, titled=False)).decode())
    assert whole.count(figure.reading) == whole.count(figure.reading[:30]) == 1  # and not in the picture again


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("layers",)])
def test_auto_takes_what_says_most(kind: str) -> None:
    others = {"bars": "waterfall", "attention": "tokens", "interactions": "bars", "removal": "bars"}
    subject = DRAWN[kind]()
    assert best(subject) == others.get(kind, kind)
    assert kind in fitting(subject)


def test_a_report_comes_first() -> None:
    assert best(pictured.reported()) == "layers"


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    with pytest.raises(UnknownFigure, match="heatmap, tokens"):
        draw("pie", pictured.patient())
    with pytest.raises(FigureUnfit, match="Kinds that fit: waterfall, bars"):
        draw("heatmap", pictured.patient())
    with pytest.raises(FigureUnfit, match="do not sum"):
        draw("waterfall", pictured.patient(gap=None))
    far = dataclasses.replace(pictured.attended(), head=4)
    with pytest.raises(RequestRefused, match="below 4"):
        draw("attention", far)
    with pytest.raises(RequestRefused, match="below 1"):
        read_subject(pictured.document(), 1)


def test_curves_of_rows_have_their_mean_and_outputs_their_names() -> None:
    ice, dependence = draw("curves", pictured.followed("ice")), draw("curves", pictured.followed("partial_dependence"))
    mean = float(pictured.SLOPES.mean())
    assert [row for row in ice.rows if row[1] == "age"] == [
        ("mean", "age", "20", 20 * mean), ("mean", "age", "50", 50 * mean), ("mean", "age", "80", 80 * mean)
    ]  # fmt: skip
    assert "Thin lines are single rows, the thick one is their mean." in ice.notes
    assert {row[0] for row in dependence.rows} == {"a", "b", "c"}
    assert ("c", "sex", "male", -4.0) in dependence.rows
    assert ("c", "age \N{MULTIPLICATION SIGN} sex", "50, male", -204.0) in dependence.rows
    where = "from \N{MINUS SIGN}320 points at 80 years to \N{MINUS SIGN}80 points at 20 years"
    assert f"\u201cc\u201d moves most along age: {where}." in dependence.reading


def test_panels_say_what_the_output_is_once_a_line_and_whose_colour_is_whose_once() -> None:
    panels = draw("curves", pictured.followed("ice")).spec["concat"]
    titles = [panel["layer"][0]["encoding"]["y"]["title"] for panel in panels if "layer" in panel]
    assert titles == ["y (points)", None]
    lines = pictured.followed("partial_dependence")
    told = {**(lines.report or {}), "curves": (lines.report or {})["curves"][:2]}
    spec = draw("curves", dataclasses.replace(lines, report=told)).spec
    assert spec["resolve"] == {"scale": {"color": "shared"}}


def test_a_title_counts_what_it_has_no_room_for() -> None:
    lines = pictured.followed("ice")
    report = dict(lines.report or {})
    long = "a name that takes all the room there is"
    report["curves"] = [{**told, "features": [long] * len(told["features"])} for told in report["curves"]]
    title = draw("curves", dataclasses.replace(lines, report=report)).title
    assert title == "patients: each row along 3 features"


@pytest.mark.parametrize("subject", [pictured.followed("ice"), pictured.ascended()])
def test_maps_of_no_layer_are_no_activations(subject: Subject) -> None:
    assert "activations" not in fitting(subject)
    assert "activations" in fitting(pictured.single_map())


@pytest.mark.parametrize("subject", [pictured.patient(), pictured.digit()])
def test_what_neither_raises_nor_lowers_is_not_said_to(subject: Subject) -> None:
    kind = "bars" if subject.card is pictured.TABLE else "heatmap"
    shares, slopes = (render.svg(draw(kind, dataclasses.replace(subject, contributes=yes))).decode() for yes in (True, False))
    assert any(said in shares for said in ("raises the output", "blue raises"))
    assert not any(said in slopes for said in ("raises the output", "blue raises", "speak for it"))


def test_changes_are_those_of_the_row() -> None:
    figure = draw("changes", pictured.otherwise())
    assert figure.rows == (
        (1, "age", 54.0, 50.5, "falls"), (2, "sex", "female", "male", "is another"), (2, "age", 54.0, 55.0, "rises")
    )  # fmt: skip
    assert figure.reading == "The row is no (0.25); with age 54 → 50.5 years it would be yes (0.25); 1 more way was found."
    assert figure.notes == ("2 of 3 were found.",)
    with pytest.raises(FigureUnfit, match="no counterfactual of this row was found"):
        draw("changes", pictured.otherwise(row=0))
    with pytest.raises(RequestRefused, match="below 2"):
        pictured.otherwise(row=2)


def test_importance_says_what_grows_and_what_does_not() -> None:
    figure = draw("importance", pictured.shuffled())
    assert [row[0] for row in figure.rows] == ["body mass index", "age", "sex"]
    assert figure.reading == (
        "Over 40 rows the loss (squared) is 1.5; "
        "it grows most when shuffling body mass index (+2 ± 0.12) and age (+0.5 ± 0.12)."
    )
    assert draw("importance", pictured.shuffled(-0.5, 0.0)).reading.endswith("shuffling no feature makes it grow.")


def test_a_rule_is_said_with_its_units() -> None:
    age, sex = {"feature": "age", "low": 30.25, "high": 54.0}, {"feature": "sex", "equals": "male"}
    figure = draw("rule", pictured.ruled(age, sex))
    assert figure.reading == (
        "With age above 30.25, at most 54 years and sex = male the outcome is yes in at least 97.5% of the rows tried, "
        "at a confidence of 0.99; the rule covers 12.5% of the data."
    )
    assert figure.rows == (("age", 30.25, 54.0, None), ("sex", None, None, "male"))
    assert figure.notes == ("Searched for long.",)
    assert draw("rule", pictured.ruled(label=None)).reading.startswith(
        "Whatever the features are, the outcome stays near class 1"
    )
    assert "and 3 more the" in draw("rule", pictured.ruled(*[age] * 7)).reading


def test_removal_is_told_beside_random_orders() -> None:
    figure = draw("removal", pictured.removed())
    assert figure.rows == (
        ("deletion", 0.0, 8.0), ("deletion", 0.5, 2.0), ("deletion", 1.0, 1.0),
        ("insertion", 0.0, 1.0), ("insertion", 0.5, 7.0), ("insertion", 1.0, 8.0),
    )  # fmt: skip
    assert "from 8 to 1 as features are taken away, over an area of 3.25 (random orders: 4.5 ± 0.25)" in figure.reading
    with pytest.raises(FigureUnfit, match="deletion"):
        draw("removal", pictured.patient())


def test_pairs_are_named_and_what_is_next_to_nothing_is_written_as_nothing() -> None:
    figure = draw("interactions", pictured.paired())
    assert figure.rows[:2] == (("age", "sex", -0.5), ("sex", "weight", 0.25))
    assert figure.rows[3:] == (("age", None, 3.0), ("sex", None, 1.0), ("weight", None, 0.125))
    written = [text.text for text in pictured.tree_of(render.svg(figure)).iter("{http://www.w3.org/2000/svg}text")]
    assert written.count("0") == 2
    assert written.count("\N{MINUS SIGN}0.5") == 2


class Text(HTMLParser):
    """The text of a page, and the names of its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    @classmethod
    def of(cls, source: str) -> str:
        return cls.parsed(source).text

    @classmethod
    def parsed(cls, source: str) -> Text:
        made = cls()
        made.feed(source)
        return made


def test_html_gives_the_text_back_letter_by_letter() -> None:
    parsed = Text.parsed(draw("tokens", pictured.sentence()).html or "")
    assert parsed.text == pictured.TEXT
    assert parsed.tags == {"p", "mark"}


def test_the_text_is_not_needed_for_tokens() -> None:
    subject = pictured.sentence()
    bare = read_subject(
        pictured.document(pictured.attribution([1.0, -1.0], "text", features=["<i>", "b"], offsets=[[0, 3], [4, 5]])), 0
    )
    figure = draw("tokens", bare)
    assert Text.of(figure.html or "").split() == ["<i>", "b"]
    assert "not kept" in figure.notes[0]
    assert subject.pieces[0].given is not None


@pytest.mark.parametrize("offsets", [[[0, 900], [3, 5]], [[7, 2], [5, 5]], [[-4, 2], [90, 95]]])
def test_wild_offsets_lose_no_text(offsets: list[list[int]]) -> None:
    entry = pictured.attribution([1.0, -1.0], "text", features=["a", "b"], offsets=offsets)
    subject = read_subject(pictured.document(entry), 0, pictured.WORDS, {"text": b"some text & more"})
    assert Text.of(draw("tokens", subject).html or "") == "some text & more"


@pytest.mark.parametrize("kind", ["waterfall", "bars", "attention", "tokens"])
def test_names_cannot_become_markup(kind: str) -> None:
    figure = draw(kind, DRAWN[kind]())
    svg = render.svg(figure)
    tags = {node.tag.rpartition("}")[2] for node in pictured.tree_of(svg).iter()}
    assert tags <= {"svg", "g", "path", "text", "rect", "defs", "linearGradient", "stop", "clipPath", "image", "tspan", "line"}
    assert not Text.parsed(page(figure, svg).decode()).tags & {"script", "b", "i"}


def test_a_large_image_becomes_a_small_picture() -> None:
    values = np.random.default_rng(0).normal(size=(3, 900, 1201))
    subject = read_subject(pictured.document(pictured.attribution(values)), 0)
    figure = draw("heatmap", subject)
    assert "mean of 3 by 3" in " ".join(figure.notes)
    assert "Colours end at" in " ".join(figure.notes)
    assert len(figure.rows) == 101
    assert sum(row[2] for row in figure.rows) == pytest.approx(values.sum())
    assert len(json.dumps(figure.spec)) < 1_000_000


def test_a_heat_map_needs_no_picture() -> None:
    told = pictured.document(pictured.attribution(pictured.digit().pieces[0].values))
    for given in ({}, {"input": np.zeros((1, 2))}, {"input": b"no picture"}):
        figure = draw("heatmap", read_subject(told, 0, pictured.IMAGE, given))
        assert "picture itself is not shown" in " ".join(figure.notes)
        assert figure.rows == draw("heatmap", pictured.digit()).rows


def test_patches_are_a_map() -> None:
    names = [f"patch {line},{column}" for line in range(2) for column in range(3)]
    subject = read_subject(pictured.document(pictured.attribution(range(6), features=names)), 0, pictured.IMAGE)
    assert (2, 3, 5.0) in draw("heatmap", subject).rows
    far = read_subject(pictured.document(pictured.attribution([1.0], features=["patch 9999,9999"])), 0, pictured.IMAGE)
    assert "heatmap" not in fitting(far)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NHW"])
def test_normalisation_is_undone(layout: str) -> None:
    from explainery.figures.picture import visible

    pixels = np.linspace(0, 1, 60).reshape(4, 5, 3) if layout != "NHW" else np.linspace(0, 1, 20).reshape(4, 5, 1)
    mean, std = ((0.4, 0.5, 0.6), (0.2, 0.25, 0.5)) if layout != "NHW" else ((0.4,), (0.2,))
    sent = (pixels - mean) / std
    shape = {"NCHW": (-1, 3, 4, 5), "NHWC": (-1, 4, 5, 3), "NHW": (-1, 4, 5)}[layout]
    sent = sent.transpose(2, 0, 1) if layout == "NCHW" else sent[..., 0] if layout == "NHW" else sent
    card = pictured.card({"name": "x", "shape": shape, "modality": "image", "layout": layout, "mean": mean, "std": std})
    seen = visible(sent, card.inputs[0])
    assert seen is not None
    np.testing.assert_array_equal(seen, np.rint(255 * pixels).astype(np.uint8).repeat(3 // pixels.shape[-1], axis=-1))


def test_long_series_are_thinned_and_said_so() -> None:
    values = np.ones((1, 5000))
    subject = read_subject(pictured.document(pictured.attribution(values, "wave")), 0, pictured.SERIES)
    figure = draw("series", subject)
    assert "Each drawn step stands for 13" in " ".join(figure.notes)
    assert sum(entry["amount"] for entry in figure.spec["vconcat"][0]["data"]["values"]) == pytest.approx(5000)


def test_nothing_of_weight_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, explainery.figures.gallery, explainery.figures.render, explainery.figures.page; "
        "[__import__(f'explainery.figures.kinds.{kind}') for kind in explainery.figures.gallery.KINDS]; "
        "print(sorted({'numpy', 'PIL', 'vl_convert', 'orjson'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_text_is_as_wide_as_it_is_drawn() -> None:
    """Black on white in the very font: from the first column with ink to the last."""
    import io

    import vl_convert
    from PIL import Image

    from explainery.figures.letters import width
    from explainery.figures.theme import FONT

    for text in ("|The quick (brown) fox, 12.5 %|", "|jumps over WAMM @ [home] {x}|", "|Größe — façade “quoted”…|"):
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="60"><rect width="900" height="60" fill="white"/>'
        svg += f'<text x="10" y="40" font-size="40" font-family="{FONT}" style="font-kerning:none">{text}</text></svg>'
        ink = np.asarray(Image.open(io.BytesIO(vl_convert.svg_to_png(svg))).convert("L")).min(axis=0) < 128
        drawn = np.flatnonzero(ink)[[0, -1]]
        bar = width("|", 40)
        assert drawn[1] - drawn[0] == pytest.approx(width(text, 40) - bar, abs=0.02 * width(text, 40)), text


def test_the_same_figure_is_the_same_every_time() -> None:
    """Clients are told by its hash that nothing has changed."""
    figures = [draw(kind, DRAWN[kind]()) for kind in ("series", "heatmap")]
    first, again = ([render.svg(figure) for figure in figures] for _ in range(2))
    assert first == again
    names = [set(re.findall(r'linearGradient id="([^"]+)"', svg.decode())) for svg in first]
    assert all(names)
    assert not names[0] & names[1]
    assert all(f"url(#{name})" in svg.decode() for name, svg in zip([next(iter(known)) for known in names], first, strict=True))
