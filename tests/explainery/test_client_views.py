"""Results as shap, pandas and notebooks like to have them."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser

import numpy as np
import pytest

from explainery.client import Client, ExplanationResult
from explainery.client.views import NoRows
from explainery.contract.result import Attribution, Cost, Explanation, ModelUsed, Quality, Result, Target
from explainery.figures.colours import LOWERS, RAISES

HOSTILE = "<script>alert('x')</script>\"&<img src=x onerror=alert(1)>"
ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [-1.0, 0.5, 2.0]])
WEIGHTS = np.array([1.0, 2.0, 3.0])

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of shap's and matplotlib's making
    import shap


@pytest.fixture
def client(service) -> Iterator[Client]:
    with Client(service.url) as made:
        yield made


def made(attributions: list[list[tuple[Attribution, np.ndarray]]], label: str | None = None) -> ExplanationResult:
    """A result of rows of attributions; texts are filled up as the wire fills them."""
    quality = Quality(
        completeness_gap=0.0, approximation_error=None, standard_error=None, converged=True, verdict="pass", notes=(HOSTILE,)
    )
    rows = tuple(
        Explanation(
            target=Target(output="y", index=0, label=label), instance_output=2.0, baseline_output=0.5,
            attributions=tuple(attribution for attribution, _ in row), quality=quality,
        )
        for row in attributions
    )  # fmt: skip
    result = Result(
        id="0" * 26, model=ModelUsed(name="m", version="1", digest="sha256:0", runtime="stub"), method="lime", params={},
        seed=0, value_function="baseline", explanations=rows, environment={},
        cost=Cost(model_evaluations=1, gradient_evaluations=0, seconds=0.1, batch_jobs=1),
    )  # fmt: skip
    arrays = {}
    for attribution, _ in attributions[0]:
        own = [array for row in attributions for each, array in row if each.input == attribution.input]
        most = max(array.shape for array in own)
        arrays[attribution.input] = np.stack(
            [np.pad(array, [(0, m - n) for m, n in zip(most, array.shape, strict=True)]) for array in own]
        )
    count = len(rows)
    return ExplanationResult(result, arrays, {}, np.full(count, 2.0), np.full(count, 0.5))


def vector(name: str, *values: float, features: tuple[str, ...] | None = None) -> tuple[Attribution, np.ndarray]:
    array = np.array(values)
    return Attribution(input=name, shape=array.shape, datatype="FP64", features=features), array


def test_shaps_plots_take_it(client: Client):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    result = client.explain("linear", ROWS, "exact_shapley", target=None, baseline="zeros")
    told = result.to_shap()
    assert isinstance(told, shap.Explanation)
    np.testing.assert_allclose(told.values, ROWS * WEIGHTS, atol=1e-9)
    np.testing.assert_allclose(told.base_values + told.values.sum(axis=1), result.instance_output)
    np.testing.assert_allclose(told.data, ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own, of NumPy's random generator and matplotlib
        for plot, what in ((shap.plots.bar, told), (shap.plots.waterfall, told[0]), (shap.plots.beeswarm, told)):
            axes = plot(what, show=False)
            drawn = [text.get_text() for text in axes.get_yticklabels()]
            assert any("income" in text for text in drawn), plot.__name__
            plt.close("all")


def test_a_frame_has_a_column_per_feature(client: Client):
    frame = client.explain("linear", ROWS, "exact_shapley", target=None, baseline="zeros").to_frame()
    assert list(frame.columns) == ["age", "income", "debt"]
    np.testing.assert_allclose(frame.to_numpy(), ROWS * WEIGHTS, atol=1e-9)


def test_several_inputs_stand_side_by_side(client: Client):
    inputs = {"left": np.array([[1, 2]]), "right": np.array([[3]])}
    result = client.explain("pair", inputs, "exact_shapley", target="yes", baseline="zeros")
    assert result.feature_names == ["left[0]", "left[1]", "right[0]"]
    np.testing.assert_allclose(result.values, [[0.0, 2.0, 6.0]], atol=1e-6)
    np.testing.assert_allclose(result.data, [[1.0, 2.0, 3.0]])
    assert result.to_shap().output_names == "yes"


def test_pictures_keep_their_shape_and_name_their_places():
    one = Attribution(input="image", shape=(1, 2, 2), datatype="FP32"), np.arange(4.0).reshape(1, 2, 2)
    result = made([[one], [one]])
    assert (result.values.shape, result.feature_names, result.data) == ((2, 1, 2, 2), None, None)
    assert list(result.to_frame().columns) == ["image[0,0,0]", "image[0,0,1]", "image[0,1,0]", "image[0,1,1]"]
    with_rows = result.of([np.ones((1, 2, 2)).tolist()] * 2)
    assert with_rows.data.shape == (2, 1, 2, 2)


def test_texts_are_words_of_their_own_number():
    def text(*words: str) -> tuple[Attribution, np.ndarray]:
        at = tuple((place, place + 1) for place in range(len(words)))
        return Attribution(input="t", shape=(len(words),), datatype="FP32", features=words, offsets=at), np.ones(len(words))

    result = made([[text("a", "good", "film")], [text("bad")]])
    told = result.to_shap()
    assert [list(row) for row in told.data] == [["a", "good", "film"], ["bad"]]
    assert [len(row) for row in told.values] == [3, 1]
    assert result.row(1).values.shape == (1, 1)  # without what filled it up
    again = ExplanationResult.joined([result.row(1), result.row(0)])
    assert again.values.tolist() == [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]


def test_rows_and_their_joining(client: Client):
    result = client.explain("linear", ROWS, "exact_shapley", target=None, baseline="zeros")
    back = ExplanationResult.joined(result.row(number) for number in range(3))
    np.testing.assert_array_equal(back.values, result.values)
    np.testing.assert_array_equal(back.data, result.data)
    assert back.explanations == result.explanations
    with pytest.raises(IndexError):
        result.row(3)
    with pytest.raises(ValueError, match="no result"):
        ExplanationResult.joined([])
    other = client.explain("linear", ROWS, "feature_ablation", target=None, baseline="zeros")
    with pytest.raises(ValueError, match="one method"):
        ExplanationResult.joined([result, other])


def test_an_answer_for_the_job_as_a_whole_has_no_rows(client: Client):
    result = client.explain("linear", ROWS, "predict")
    with pytest.raises(NoRows, match="job as a whole"):
        _ = result.values
    assert "predict" in result._repr_html_()


class Tags(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_notebooks_show_names_and_run_nothing():
    result = made([[vector("x", 1.0, -2.0, features=(HOSTILE, "b"))]] * 7, label=HOSTILE)
    page = Tags(result.of(None, [HOSTILE] * 7)._repr_html_())
    assert page.tags <= {"div", "b", "table", "tr", "th", "td", "br", "span"}
    assert page.attributes <= {"style"}
    assert page.text.count(HOSTILE) >= 4 * 5  # label, feature, note and index of the first five rows
    assert "7 rows, of which the first 5 are shown" in page.text


def test_notebooks_have_the_colours_of_figures():
    bars = re.findall(r"background:(#\w+).*?(-2|\+1)<", made([[vector("x", 1.0, -2.0)]])._repr_html_())
    assert bars == [(LOWERS, "-2"), (RAISES, "+1")]


def test_not_finite_numbers_are_shown_too():
    assert "+nan" in made([[vector("x", float("nan"), 1.0)]])._repr_html_()


def test_without_shap_and_pandas_it_says_so(monkeypatch: pytest.MonkeyPatch):
    result = made([[vector("x", 1.0)]])
    for name, call in (("shap", result.to_shap), ("pandas", result.to_frame)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ModuleNotFoundError):
            call()
