"""Texts through the real engine: a model whose shares are known word by word, and one with a planted word."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import texts
from texts import CLS_SEP, PLANTED, TEXTS, worth

from explainery.contract.errors import ComputeError, InputUndecodable, InvalidBaseline, InvalidParameter, ModelUnloadable
from explainery.contract.job import Baseline
from explainery.contract.tensors import pack_result, result_document
from explainery.settings import load
from workers.local import Local, Order
from workers.offering import offer_of

VALUES = ["occlusion", "feature_ablation", "exact_shapley", "kernel_shap", "permutation_shapley", "lime", "rise"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("texts")
    texts.add_planted(folder)
    texts.add_planted(folder, "planted-64", 64)
    texts.add_sum(folder)
    texts.add_sum(folder, "sum-16", 16)
    texts.add_sum(folder, "short", max_tokens=5)
    texts.add_sum(folder, "own", more="[baseline]\ninput_ids = 5.0\n")
    settings = dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1, factories=("text_nets",))
    return Local(dataclasses.replace(settings, twin_after_s=-1))


def explain(lab: Local, model: str, method: str, rows: Any, params: Any = None, **more: Any) -> Any:
    return lab.explain(model, Order(method, {"input_ids": rows}, params or {}, **more))


@pytest.mark.parametrize("model", ["sum", "sum-16"])
@pytest.mark.parametrize("method", VALUES)
def test_every_word_has_its_share(lab: Local, method: str, model: str) -> None:
    """Rows of different lengths in one job; neither special tokens nor padding, mask and types have any share."""
    result, arrays = explain(lab, model, method, list(TEXTS))
    found = arrays["attributions.input_ids"]
    assert set(arrays) - {"standard_error.input_ids"} == {"attributions.input_ids", "instance_output", "baseline_output"}
    for row, (text, shares) in enumerate(TEXTS.items()):
        (attribution,) = result.explanations[row].attributions
        assert attribution.shape == (len(shares),)
        assert attribution.offsets is not None
        assert [text[start:end] for start, end in attribution.offsets] == list(attribution.features or ())
        np.testing.assert_allclose(found[row, : len(shares)], shares, rtol=1e-5, atol=1e-4)
        assert not found[row, len(shares) :].any()
        assert result.explanations[row].instance_output == pytest.approx(CLS_SEP + text_worth(shares))


def text_worth(shares: list[float]) -> float:
    """The output of a text's tokens: what they add above mask tokens, and the mask tokens."""
    return sum(shares) + 0.25 * sum(1 if share != texts.UNREAL else 2 for share in shares)


def test_tokens_sentences_and_labels_play_where_they_are_asked_for(lab: Local) -> None:
    text = "The unreal film. Dull!"
    asked = {
        "tokens": worth("the", "un", "##real", "film", ".", "dull", "!"),
        "sentences": [sum(worth("the", "un", "##real", "film", ".")), sum(worth("dull", "!"))],
    }
    for features, shares in asked.items():
        for form in (features, {"text": features}):
            _, arrays = explain(lab, "sum", "exact_shapley", [text], {"features": form})
            np.testing.assert_allclose(arrays["attributions.input_ids"][0], shares, atol=1e-4)
    labels = {"labels": [0, 1, 2, 2, 1, 1, 1, 1, 0]}
    result, arrays = explain(lab, "sum", "exact_shapley", [text], {"features": labels})
    np.testing.assert_allclose(
        arrays["attributions.input_ids"][0], [sum(worth("the", "film", ".", "dull", "!")), texts.UNREAL], atol=1e-4
    )
    assert result.explanations[0].attributions[0].features == ("The film . Dull !", "un real")


def test_windows_of_words(lab: Local) -> None:
    """Two words at a time, one by one: a word has the mean over the windows that hide it."""
    a, b, c = worth("dull", "film", "plot")
    result, arrays = explain(lab, "sum", "occlusion", ["dull film plot"], {"window": 2, "stride": 1})
    np.testing.assert_allclose(arrays["attributions.input_ids"][0], [a + b, (a + b + b + c) / 2, b + c], atol=1e-4)
    assert result.explanations[0].attributions[0].features == ("dull", "film", "plot")


def test_ids_are_explained_like_their_string(lab: Local) -> None:
    ids = np.array([[texts.VOCABULARY.index(token) for token in ("[CLS]", "un", "##real", "film", "[SEP]", "[PAD]")]])
    result, arrays = explain(lab, "sum", "exact_shapley", ids)
    attribution = result.explanations[0].attributions[0]
    assert (attribution.features, attribution.offsets) == (("un", "##real", "film"), None)
    np.testing.assert_allclose(arrays["attributions.input_ids"][0], worth("un", "##real", "film"), atol=1e-4)
    assert result.explanations[0].instance_output == pytest.approx(CLS_SEP + text_worth(worth("un", "##real", "film")))


@pytest.mark.parametrize("method", ["occlusion", "feature_ablation", "kernel_shap"])
def test_a_row_does_not_depend_on_its_company(lab: Local, method: str) -> None:
    rows = texts.sentences(4, seed=3)
    _, together = explain(lab, "planted", method, rows, seed=4)
    _, backwards = explain(lab, "planted", method, rows[::-1], seed=4)
    for row, text in enumerate(rows):
        _, alone = explain(lab, "planted", method, [text], seed=4)
        found = alone["attributions.input_ids"][0]
        np.testing.assert_allclose(together["attributions.input_ids"][row][: len(found)], found, atol=1e-5)
        np.testing.assert_allclose(backwards["attributions.input_ids"][3 - row][: len(found)], found, atol=1e-5)


@pytest.mark.parametrize("model", ["planted", "planted-64"])
@pytest.mark.parametrize("method", ["occlusion", "feature_ablation", "kernel_shap"])
def test_the_planted_word_ranks_first(lab: Local, method: str, model: str) -> None:
    """200 rows of it, and more methods, are in `test_gradients.py`."""
    rows = texts.sentences(24, seed=1234, planted_share=1.1)
    result, arrays = explain(lab, model, method, rows)
    assert {explanation.target.label for explanation in result.explanations} == {"praise"}
    for row, explanation in enumerate(result.explanations):
        names = explanation.attributions[0].features or ()
        assert names[int(np.argmax(arrays["attributions.input_ids"][row][: len(names)]))] == PLANTED


def test_a_cut_text_says_so(lab: Local) -> None:
    result, _ = explain(lab, "short", "exact_shapley", ["dull film plot music", "dull film"])
    cut, whole = result.explanations
    assert cut.attributions[0].features == ("dull", "film", "plot")
    assert "only 5 tokens" in cut.quality.notes[0]
    assert (cut.quality.verdict, whole.quality.notes) == ("pass", ())


# --- what stands for an absent token


def test_absent_tokens_are_the_mask_token_whatever_zeros_means(lab: Local) -> None:
    for baseline in (Baseline(kind="zeros"), Baseline(kind="card")):
        result, _ = explain(lab, "sum", "feature_ablation", ["dull film"], baseline=baseline)
        assert result.explanations[0].baseline_output == pytest.approx(CLS_SEP + 2 * 0.25)
        assert result.value_function == "baseline"


def test_other_baselines_of_texts(lab: Local) -> None:
    """The card's own, an id, ids for each token (special ones keep the instance's), several rows of ids."""
    the, film = (texts.VOCABULARY.index(word) for word in ("the", "film"))
    expected = {
        "card": texts.WORTH[5] * 2,
        "value": texts.WORTH[film] * 2,
        "tensor": texts.WORTH[the] + texts.WORTH[film],
        "background": texts.WORTH[the] + texts.WORTH[film],
    }
    arrays = {
        "tensor": {"baseline/input_ids": np.array([[0, the, film, 0]])},
        "background": {"background/input_ids": np.array([[0, the, the, 0], [0, film, film, 0]])},
    }
    for kind, output in expected.items():
        baseline = Baseline(kind=kind, value=float(film) if kind == "value" else None)  # type: ignore[arg-type]
        result, found = explain(lab, "own", "exact_shapley", ["dull plot"], baseline=baseline, arrays=arrays.get(kind))
        assert result.explanations[0].baseline_output == pytest.approx(CLS_SEP + output)
        total = result.explanations[0].instance_output - result.explanations[0].baseline_output
        assert found["attributions.input_ids"].sum() == pytest.approx(total)


@pytest.mark.parametrize(
    ("baseline", "arrays", "words"),
    [
        (Baseline(kind="mean"), {}, "mask token"),
        (Baseline(kind="value", value=1e6), {}, "the tokenizer does not have"),
        (Baseline(kind="value", value=-1.0), {}, "the tokenizer does not have"),
        (Baseline(kind="tensor"), {"baseline/input_ids": np.array([[1, 2]])}, "here 4"),
        (Baseline(kind="background"), {"background/input_ids": np.array([[1] * 4, [999] * 4])}, "does not have"),
    ],
)
def test_baselines_that_do_not_fit_are_refused(lab: Local, baseline: Baseline, arrays: Any, words: str) -> None:
    with pytest.raises(ComputeError, match=words) as refused:
        explain(lab, "sum", "feature_ablation", ["dull plot"], baseline=baseline, arrays=arrays)
    assert refused.value.code == InvalidBaseline.code


# --- what is refused


def test_more_words_than_a_method_takes(lab: Local) -> None:
    with pytest.raises(ComputeError, match="at most 16 features, and a row has 17; use kernel_shap") as refused:
        explain(lab, "sum", "exact_shapley", ["dull", " ".join(["film"] * 17)])
    assert refused.value.code == "too_many_features"
    assert explain(lab, "sum", "exact_shapley", [" ".join(["film"] * 16)])


def test_features_that_do_not_fit(lab: Local) -> None:
    with pytest.raises(ComputeError, match="sentences") as refused:
        explain(lab, "sum", "feature_ablation", ["dull film"], {"features": {"grid": 2}})
    assert refused.value.code == InvalidParameter.code


def test_undecodable_bytes(lab: Local) -> None:
    with pytest.raises(InputUndecodable, match="no token but special ones"):
        explain(lab, "sum", "feature_ablation", ["  "])


def test_a_broken_tokenizer_is_the_models_fault(tmp_path: Path) -> None:
    texts.add_sum(tmp_path, tokenizer_file=b"{}")
    lab = Local(dataclasses.replace(load({}), models=str(tmp_path), device="cpu", threads=1))
    with pytest.raises(ModelUnloadable, match="tokenizer file cannot be read"):
        explain(lab, "sum", "feature_ablation", ["dull"])


# --- beside other inputs, and in the catalogue


def test_a_text_beside_a_table(tmp_path: Path) -> None:
    """Players of both inputs, each row with its own words; the table is cut as ever, whatever is asked of the text."""
    table = repos.tensor_input("table", [2], modality="tabular", features=["age", "income"])
    texts.add_sum(tmp_path, beside=table)
    lab = Local(dataclasses.replace(load({}), models=str(tmp_path), device="cpu", threads=1))
    rows = {"input_ids": ["dull film", "plot"], "table": np.array([[10.0, 20.0], [30.0, 40.0]], np.float32)}
    for features in (None, "tokens"):
        result, arrays = lab.explain("sum", Order("exact_shapley", rows, {"features": features}))
        assert [attribution.input for attribution in result.explanations[0].attributions] == ["input_ids", "table"]
        np.testing.assert_allclose(arrays["attributions.table"], rows["table"], atol=1e-4)
        np.testing.assert_allclose(arrays["attributions.input_ids"][0], worth("dull", "film"), atol=1e-4)
        np.testing.assert_allclose(arrays["attributions.input_ids"][1], [*worth("plot"), 0], atol=1e-4)


def test_the_catalogue_says_what_works_on_texts(lab: Local) -> None:
    entries = {entry.name: entry for entry in offer_of(lab.registry, lab.repository.scan(), lab.settings).models}
    for name in ("planted", "planted-64", "sum"):
        assert entries[name].fault is None
        assert entries[name].players is None
        assert all(entries[name].methods[method].available for method in (*VALUES, "integrated_gradients", "deep_lift"))


def test_the_document_has_each_rows_own_part(lab: Local) -> None:
    result, arrays = explain(lab, "sum", "kernel_shap", list(TEXTS))
    document = result_document(pack_result(result, arrays))
    for explanation, shares in zip(document["explanations"], TEXTS.values(), strict=True):
        (attribution,) = explanation["attributions"]
        assert len(attribution["data"]) == len(shares)
        assert attribution["standard_error"] is None or len(attribution["standard_error"]) == len(shares)
        assert len(attribution["offsets"]) == len(attribution["features"]) == attribution["shape"][0] == len(shares)


def test_methods_that_answer_for_a_whole_job(lab: Local) -> None:
    """A report over texts of many lengths; a picture cannot be painted of ids; activations of other lengths do not compare."""
    rows = texts.sentences(25, 5)
    result, _ = explain(lab, "planted", "layer_report", rows)
    assert result.report is not None
    assert result.report["findings"] == []
    assert all(layer["dead_share"] is not None for layer in result.report["layers"] if layer["type"] == "Linear")
    with pytest.raises(ComputeError, match="cannot be painted") as refusal:
        explain(lab, "planted", "activation_maximization", rows, target=1)
    assert refusal.value.code == "method_unavailable"
    sets = ["example"] * 5 + ["one"] * 5 + ["random/0"] * 5 + ["random/1"] * 5 + ["random/2"] * 5
    with pytest.raises(ComputeError, match="another shape for each row's length") as refusal:
        explain(lab, "planted", "tcav", rows, {"sets": sets, "layer": "encoder.layers.1"}, target=1)
    assert refusal.value.code == "invalid_input"
    result, _ = explain(lab, "planted", "tcav", rows, {"sets": sets, "layer": "head"}, target=1)
    assert result.report is not None
