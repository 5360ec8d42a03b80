"""Strings in, offsets out: texts through a real API and a real worker."""

from __future__ import annotations

import pytest
import texts
from stacks import Stack, until
from texts import TEXTS, worth

from explainery import Client

CANARY = "quetzalcoatl"


@pytest.fixture(scope="module")
def words(stack: Stack) -> str:
    """The name of a model of texts, added while the service runs, once it is known."""
    texts.add_sum(stack.models, "texts")
    until(lambda: stack.http.get("/v1/models/texts").status_code == 200)
    return "texts"


def test_strings_in_offsets_out(stack: Stack, words: str) -> None:
    for method in ("occlusion", "feature_ablation", "exact_shapley", "kernel_shap", "integrated_gradients", "deep_lift"):
        result = stack.result(stack.submit(words, method, list(TEXTS)))
        for text, shares, explanation in zip(TEXTS, TEXTS.values(), result["explanations"], strict=True):
            (attribution,) = explanation["attributions"]
            assert attribution["input"] == "input_ids"
            assert attribution["shape"] == [len(shares)]
            assert attribution["data"] == pytest.approx(shares, abs=1e-3)
            assert [text[start:end] for start, end in attribution["offsets"]] == attribution["features"]


def test_an_object_by_input_name_and_ids(stack: Stack, words: str) -> None:
    ids = [texts.VOCABULARY.index(token) for token in ("[CLS]", "dull", "film", "[SEP]")]
    for rows in ([{"input_ids": "dull film"}], [ids], [{"input_ids": ids}]):
        (explanation,) = stack.result(stack.submit(words, "feature_ablation", rows))["explanations"]
        (attribution,) = explanation["attributions"]
        assert attribution["features"] == ["dull", "film"]
        assert attribution["data"] == pytest.approx(worth("dull", "film"), abs=1e-3)
        assert (attribution["offsets"] is not None) is (rows[0] == {"input_ids": "dull film"})


def test_the_client(stack: Stack, words: str) -> None:
    with Client(str(stack.http.base_url)) as client:
        result = client.explain(words, list(TEXTS), "occlusion")
    for row, (explanation, shares) in enumerate(zip(result.explanations, TEXTS.values(), strict=True)):
        (attribution,) = explanation.attributions
        assert result.row_of(attribution, row).tolist() == pytest.approx(shares, abs=1e-3)
        assert len(attribution.offsets or ()) == len(shares)


def test_no_text_is_in_an_error_or_a_log(stack: Stack, words: str) -> None:
    text = " ".join([CANARY] * 20)
    failed = stack.ended(stack.submit(words, "exact_shapley", [text]))
    assert failed["error"]["code"] == "too_many_features"
    assert CANARY not in str(failed)
    refused = stack.post({"model": words, "method": "kernel_shap", "instances": [text, 7]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    assert CANARY not in refused.text
    assert stack.result(stack.submit(words, "kernel_shap", [text]))
    logs = [path for path in stack.home.rglob("*.log") if path.is_file()]
    assert logs
    assert not [path for path in logs if CANARY in path.read_text(errors="replace")]
