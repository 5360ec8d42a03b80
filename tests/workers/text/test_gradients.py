"""Gradients of texts: taken at the embedding, summed over a token's vector and over the tokens of a word."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import texts
from texts import PLANTED, TEXTS, UNREAL, VOCABULARY, WORTH, worth

from explainery.contract.errors import MethodUnavailable
from explainery.contract.job import Baseline
from explainery.settings import load
from workers.local import Local, Order
from workers.offering import offer_of

ASKED: dict[str, dict[str, Any]] = {
    "saliency": {},
    "input_x_gradient": {},
    "smoothgrad": {"samples": 7},
    "expected_gradients": {"samples": 16, "tolerance": 0.0},
    "integrated_gradients": {"max_steps": 24, "tolerance": 0.0},
    "deep_lift": {},
    "guided_backprop": {},
    "neuron_gradient": {"layer": "encoder.layers.0.linear2", "unit": [2, 5]},
    "neuron_integrated_gradients": {"layer": "encoder.layers.1.linear1", "unit": [1, 3], "max_steps": 12, "tolerance": 0.0},
}
INSIDE: dict[str, dict[str, Any]] = {
    "layer_conductance": {"max_steps": 12, "tolerance": 0.0},
    "internal_influence": {"max_steps": 12},
    "layer_gradient_x_activation": {},
    "layer_integrated_gradients": {"max_steps": 12, "tolerance": 0.0},
}


def laboratory(folder: Path) -> Local:
    settings = dataclasses.replace(load({}), home=folder / "home", models=str(folder), device="cpu", threads=1)
    return Local(dataclasses.replace(settings, factories=("text_nets",), twin_after_s=-1))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("gradients")
    texts.add_planted(folder)
    texts.add_planted(folder, "planted-64", 64)
    texts.add_behind(folder)
    texts.add_sum(folder)
    texts.add_sum(folder, "sum-16", 16)
    return laboratory(folder)


def explain(lab: Local, model: str, method: str, rows: Any, params: Any = None, **more: Any) -> Any:
    return lab.explain(model, Order(method, {"input_ids": rows}, params or {}, **more))


def at_vectors(lab: Local, method: str, text: str, params: Any) -> Any:
    """The same question to the model behind the embedding, whose input are the vectors themselves."""
    passage = lab.load("planted").readers["input_ids"].text(text)
    table = texts.trained()["words.weight"].numpy()
    hidden = np.where(passage.plays, VOCABULARY.index("[MASK]"), passage.ids)
    baseline, stored = Baseline(kind="tensor"), {"baseline/input_ids": table[hidden][None]}
    result, arrays = explain(
        lab, "behind", method, table[passage.ids][None], renamed(params), baseline=baseline, arrays=stored, seed=3
    )
    return passage, result, arrays


def renamed(params: dict[str, Any]) -> dict[str, Any]:
    return {**params, "layer": f"net.{params['layer']}"} if "layer" in params else params


@pytest.mark.parametrize("method", ASKED)
def test_the_same_as_of_a_model_of_vectors(lab: Local, method: str) -> None:
    rows = texts.sentences(3, seed=8)
    _, arrays = explain(
        lab,
        "planted",
        method,
        rows,
        {
            **ASKED[method],
        },
        seed=3,
    )
    for row, text in enumerate(rows):
        passage, _, expected = at_vectors(lab, method, text, ASKED[method])
        per_token = expected["attributions.input_ids"][0].sum(axis=1)[passage.plays]
        found = arrays["attributions.input_ids"][row]
        np.testing.assert_allclose(found[: len(per_token)], per_token, atol=2e-5 * max(1.0, float(np.abs(per_token).max())))
        assert not found[len(per_token) :].any()


@pytest.mark.parametrize("method", INSIDE)
def test_layers_along_a_path_of_vectors(lab: Local, method: str) -> None:
    """Ids have nothing between them: a path through the inputs is one through their vectors."""
    layer = {"layer": "encoder.layers.0.linear2"}
    (text,) = texts.sentences(1, seed=8)
    _, arrays = explain(lab, "planted", method, [text], {**INSIDE[method], **layer}, seed=3)
    _, _, expected = at_vectors(lab, method, text, {**INSIDE[method], **layer})
    (found,) = (array for name, array in arrays.items() if name.startswith("attributions."))
    (wanted,) = (array for name, array in expected.items() if name.startswith("attributions."))
    np.testing.assert_allclose(found, wanted, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))


@pytest.mark.parametrize("model", ["sum", "sum-16"])
def test_closed_forms_of_an_onnx_model(lab: Local, model: str) -> None:
    text, shares = next(iter(TEXTS.items()))
    tokens = [["the"], ["un", "##real"], ["film"], [","], ["dull"], ["!"]]
    expected = {
        "integrated_gradients": shares,
        "deep_lift": shares,
        "saliency": [float(len(word)) for word in tokens],
        "input_x_gradient": [sum(WORTH[VOCABULARY.index(token)] for token in word) for word in tokens],
    }
    for method, wanted in expected.items():
        result, arrays = explain(lab, model, method, [text, "superb"])
        np.testing.assert_allclose(arrays["attributions.input_ids"][0], wanted, atol=1e-4)
        attribution = result.explanations[0].attributions[0]
        assert attribution.features == ("The", "unreal", "film", ",", "dull", "!")
        assert attribution.offsets is not None
        if method == "integrated_gradients":
            assert result.explanations[0].quality.completeness_gap == pytest.approx(0, abs=1e-6)
    assert shares[1] == UNREAL


def test_a_background_is_averaged_over(lab: Local) -> None:
    the, film = (VOCABULARY.index(word) for word in ("the", "film"))
    arrays = {"background/input_ids": np.array([[0, the, the, 0], [0, film, film, 0]])}
    result, found = explain(
        lab, "sum", "integrated_gradients", ["dull plot"], baseline=Baseline(kind="background"), arrays=arrays
    )
    mean = (WORTH[the] + WORTH[film]) / 2
    wanted = [WORTH[VOCABULARY.index(word)] - mean for word in ("dull", "plot")]
    np.testing.assert_allclose(found["attributions.input_ids"][0], wanted, atol=1e-4)
    assert result.value_function == "marginal"


@pytest.mark.parametrize(
    "method",
    [
        "occlusion",
        "feature_ablation",
        "kernel_shap",
        "integrated_gradients",
        "deep_lift",
        "attention_rollout",
        "attention_gradient",
    ],
)
def test_the_planted_word_ranks_first_in_200_rows(lab: Local, method: str) -> None:
    rows = texts.sentences(200, seed=999, planted_share=1.1)
    params = {"max_steps": 32} if method == "integrated_gradients" else {}
    result, arrays = explain(lab, "planted", method, rows, params)
    first = [
        (explanation.attributions[0].features or ())[int(np.argmax(np.abs(found)))] == PLANTED
        for explanation, found in zip(result.explanations, arrays["attributions.input_ids"], strict=True)
    ]
    assert np.mean(first) >= 0.99


@pytest.mark.parametrize("method", ["integrated_gradients", "smoothgrad", "deep_lift"])
def test_a_row_does_not_depend_on_its_company(lab: Local, method: str) -> None:
    rows = texts.sentences(5, seed=3)
    _, together = explain(lab, "planted", method, rows, seed=4)
    for row in (0, 3):
        _, alone = explain(lab, "planted", method, rows[row : row + 1], seed=4)
        found = alone["attributions.input_ids"][0]
        np.testing.assert_allclose(together["attributions.input_ids"][row][: len(found)], found, atol=1e-5)


def test_padding_changes_nothing_where_the_model_masks_it(lab: Local) -> None:
    rows = texts.sentences(2, seed=5)
    _, short = explain(lab, "planted", "integrated_gradients", rows, {"max_steps": 16})
    _, long = explain(lab, "planted-64", "integrated_gradients", rows, {"max_steps": 16})
    np.testing.assert_allclose(short["attributions.input_ids"], long["attributions.input_ids"], atol=1e-4)


def test_a_text_beside_a_table(tmp_path: Path) -> None:
    table = repos.tensor_input("table", [2], modality="tabular", features=["age", "income"])
    texts.add_sum(tmp_path, beside=table)
    rows = {"input_ids": ["dull film", "plot"], "table": np.array([[10.0, 20.0], [30.0, 40.0]], np.float32)}
    for method in ("integrated_gradients", "deep_lift"):
        _, arrays = laboratory(tmp_path).explain("sum", Order(method, rows, {}))
        np.testing.assert_allclose(arrays["attributions.table"], rows["table"], atol=1e-4)
        np.testing.assert_allclose(arrays["attributions.input_ids"], [worth("dull", "film"), [*worth("plot"), 0]], atol=1e-4)


# --- where the embedding is


def refusal(folder: Path, name: str, method: str = "integrated_gradients") -> str:
    """Why the catalogue says that gradients do not work, once the model was loaded."""
    lab = laboratory(folder)
    verdicts: dict[str, Any] = {}
    lab.models._judged = verdicts.__setitem__  # what a worker tells its catalogue
    digest = lab.load(name).ref.digest
    (entry,) = offer_of(lab.registry, lab.repository.scan(), lab.settings, verdicts.get).models
    assert entry.digest == digest
    assert entry.methods["feature_ablation"].available
    return entry.methods[method].reason or ""


def add_two_tables(folder: Path, **more: Any) -> None:
    inputs = texts.text_input(mask=False, **more)
    args = {"vocabulary": len(VOCABULARY)}
    place = repos.add_torch(folder, "two", "text_nets:two_tables", args, inputs, repos.output(2))
    (place / "tokenizer.json").write_bytes(texts.tokenizer())


def test_an_embedding_that_cannot_be_told_is_named_by_the_card(tmp_path: Path) -> None:
    add_two_tables(tmp_path)
    assert "its card must say which layer turns the ids of input_ids into vectors (embedding): one of first, second" in refusal(
        tmp_path, "two"
    )
    add_two_tables(tmp_path, embedding="second")
    assert refusal(tmp_path, "two") == ""
    lab = laboratory(tmp_path)
    assert lab.load("two").embedding == "second"
    result, _ = explain(lab, "two", "integrated_gradients", ["dull film"])
    assert result.explanations[0].attributions[0].features == ("dull", "film")


def test_a_name_of_no_layer_is_refused_with_near_ones(tmp_path: Path) -> None:
    add_two_tables(tmp_path, embedding="secnd")
    assert "names the embedding secnd, and it has no such layer; there is second" in refusal(tmp_path, "two")
    with pytest.raises(MethodUnavailable, match="name it in the card"):
        explain(laboratory(tmp_path), "two", "guided_backprop", ["dull film"])


def test_whole_numbers_that_are_no_text_have_no_path(tmp_path: Path) -> None:
    """The place on the way from 1 to 3 is no id and no category."""
    inputs = repos.tensor_input("input_ids", [4], "INT64")
    repos.add_torch(tmp_path, "ids", "text_nets:two_tables", {"vocabulary": 9}, inputs, repos.output(2))
    with pytest.raises(MethodUnavailable, match="holds whole numbers, and a path has points between them"):
        explain(laboratory(tmp_path), "ids", "layer_conductance", np.array([[1, 2, 3, 4]]), {"layer": "first"})


def test_the_variance_of_a_words_gradient(lab: Local) -> None:
    """Of the word's sum, draw by draw; the draws are what smoothgrad's means differ by."""
    rows = texts.sentences(2, seed=8)

    def found(method: str, samples: int) -> np.ndarray:
        return explain(lab, "planted", method, rows, {"samples": samples}, seed=5)[1]["attributions.input_ids"]

    means = [found("smoothgrad", samples) * samples for samples in (1, 2, 3)]
    draws = np.stack([means[0], means[1] - means[0], means[2] - means[1]])
    scale = float(np.abs(draws).max())
    np.testing.assert_allclose(found("var_grad", 3), draws.var(axis=0), atol=1e-5 * scale**2)
    np.testing.assert_allclose(found("square_grad", 3), (draws**2).mean(axis=0), atol=1e-5 * scale**2)
