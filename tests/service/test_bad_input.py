"""Every bad input: its status, its code, a sentence that says what to do, no echo, and no trace in Redis."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from typing import Any

import pytest
from flask.testing import FlaskClient

CANARY = "canary-7c1f"
NUMBER = 271828182
"""Planted values that no error body and no log line may repeat."""


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "row", "datatype": "FP32", "shape": [1, 4], "data": [1.0, 2.0, 0.0, 3.0], **changes}


def image(content: bytes, media_type: str = "image/png") -> dict[str, str]:
    return {"b64": b64encode(content).decode(), "media_type": media_type}


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
LOAN = {"model": "loan", "method": "kernel_shap", "inputs": [tensor()]}
DIGITS = {"model": "digits", "method": "kernel_shap", "instances": [image(PNG)]}
HOUSE = {"model": "house", "method": "kernel_shap", "instances": [[0.5] * 40]}
PAIR = {"model": "pair", "method": "kernel_shap", "instances": [{"left": [1, 2], "right": [3]}]}
BERT = {"model": "bert", "method": "kernel_shap"}
WAVES = {"model": "waves", "method": "kernel_shap", "instances": [[0.1] * 32]}


def loan(**changes: Any) -> dict[str, Any]:
    return {**LOAN, **changes}


SETS = ["example"] * 5 + ["striped"] * 5 + ["random/0"] * 5 + ["random/1"] * 5 + ["random/2"] * 5


def tree(hierarchy: Any, **params: Any) -> dict[str, Any]:
    return loan(method="owen", params={"hierarchy": hierarchy, **params})


def sets(labels: Any) -> dict[str, Any]:
    params = {} if labels is None else {"sets": labels}
    return {"model": "loan", "method": "tcav", "params": params, "inputs": [tensor(shape=[25, 4], data=[0.0, 1.0] * 50)]}


def rows(*values: Any) -> dict[str, Any]:
    return {"model": "loan", "method": "kernel_shap", "instances": list(values)}


def words(*values: Any, **more: Any) -> dict[str, Any]:
    return {"model": "words", "method": "kernel_shap", "instances": list(values), **more}


ROW = {"age": 1, "income": 2, "sex": "m", "debt": 3}

CASES: dict[str, tuple[Any, str, str]] = {
    # model, version, method
    "model": (loan(model=f"loam{NUMBER}"), "unknown_model", "no model of that name"),
    "near model": (loan(model="loam"), "unknown_model", "did you mean loan?"),
    "version": (loan(model="loan@9"), "unknown_model_version", "it has: 2, 1"),
    "version text": (loan(model=f"loan@{CANARY}"), "unknown_model_version", "it has: 2, 1"),
    "method": (loan(method="kernel_shapp"), "unknown_method", "did you mean kernel_shap"),
    "broken": (loan(model="broken"), "model_not_usable", "model.onnx is missing"),
    "no gradients": (
        {**HOUSE, "method": "integrated_gradients"}, "method_unavailable",
        "predictions only. Methods that work: exact_shapley, kernel_shap, occlusion",
    ),
    "many features": ({**HOUSE, "method": "exact_shapley"}, "too_many_features", "at most 16 features, and there are 40"),
    # parameters
    "parameter": (loan(params={"sample": 5}), "invalid_parameter", "it takes: samples, tolerance, features"),
    "parameter type": (loan(params={"samples": "64"}), "invalid_parameter", "must be an integer"),
    "no sets": (sets(None), "invalid_parameter", "must be given: a label per row"),
    "sets of another kind": (sets([1] * 25), "invalid_parameter", "must be a list of labels"),
    "sets for other rows": (sets(SETS[:24]), "invalid_parameter", "has 24 labels for 25 rows"),
    "no concept": (sets(["example"] * 10 + SETS[10:]), "concept_set_too_small", "names no concept"),
    "few random sets": (sets(SETS[:15] + ["random/0"] * 10), "concept_set_too_small", "has 1 random sets"),
    "small concept": (sets(["example"] * 7 + SETS[7:]), "concept_set_too_small", "each needs 5 rows, and striped has 3"),
    "small set of any name": (
        sets([*SETS[:9], f"{CANARY}!", *SETS[10:]]), "concept_set_too_small", "striped has 4, one of them has 1",
    ),
    "parameter bool": (loan(params={"samples": True}), "invalid_parameter", "must be an integer"),
    "parameter low": (loan(params={"samples": 1}), "invalid_parameter", "at least 4"),
    "parameter high": (loan(params={"samples": 10**12}), "invalid_parameter", "at most 1e+06"),
    "parameter null": (loan(params={"samples": None}), "invalid_parameter", "must not be null"),
    "parameter of auto": (loan(method="auto", params={"samples": -1}), "invalid_parameter", "at least 1"),
    "grid on a table": (loan(params={"features": {"grid": 2}}), "invalid_parameter", 'it takes {"groups": ...}'),
    "group of unknown": (loan(params={"features": {"groups": {"g": [CANARY]}}}), "invalid_parameter", "it has: age, income"),
    "group twice": (loan(params={"features": {"groups": {"g": ["age", "age"]}}}), "invalid_parameter", "a feature twice"),
    "labels shape": (loan(params={"features": {"labels": [0, 1]}}), "invalid_parameter", "one row of input row: [4]"),
    "labels type": (loan(params={"features": {"labels": [0.5] * 4}}), "invalid_parameter", "whole numbers"),
    "fine grid": ({**DIGITS, "params": {"features": {"grid": 9}}}, "invalid_parameter", "at most the image's size: [8, 8]"),
    "window list": ({**WAVES, "params": {"features": {"window": [2, 2]}}}, "invalid_parameter", "one whole number of steps"),
    "window sizes": (
        {**DIGITS, "method": "occlusion", "params": {"window": [1, 2, 3, 4]}}, "invalid_parameter", "needs 2 or 3 sizes",
    ),
    "few superpixels": ({**DIGITS, "params": {"features": {"superpixels": 1}}}, "invalid_parameter", "an integer >= 2"),
    "many superpixels": ({**DIGITS, "params": {"features": {"superpixels": 65}}}, "invalid_parameter", "at most the 64 pixels"),
    "superpixels of a table": (loan(params={"features": {"superpixels": 3}}), "invalid_parameter", 'it takes {"groups": ...}'),
    "tree of unknown": (tree([["age", CANARY]]), "invalid_parameter", "names 1 that do not play; there are: age, income"),
    "tree number": (tree([0, [4]]), "invalid_parameter", "4 features play, from 0 on"),
    "tree twice": (tree([["age"], "age"]), "invalid_parameter", "names a feature twice"),
    "tree type": (tree([CANARY, 0.5]), "invalid_parameter", "nested lists of feature names or numbers"),
    "tree of groups": (
        tree(["age"], features={"groups": {"money": ["age", "income"]}}), "invalid_parameter", "there are: money, sex, debt",
    ),
    "parameter name": (loan(params={CANARY: 1}), "invalid_parameter", "it takes: samples"),
    # inputs
    "neither": ({"model": "loan", "method": "kernel_shap"}, "invalid_input", "inputs or instances must be given"),
    "both": (loan(instances=[ROW]), "invalid_input", "not both"),
    "no tensors": (loan(inputs=[]), "invalid_input", "each of the model's inputs: row"),
    "name": (loan(inputs=[tensor(name=CANARY)]), "invalid_input", "each of the model's inputs: row"),
    "twice": (loan(inputs=[tensor(), tensor()]), "invalid_input", "exactly one tensor"),
    "datatype": (loan(inputs=[tensor(datatype="FP64")]), "invalid_input", "must be FP32"),
    "rank": (loan(inputs=[tensor(shape=[1, 2, 2])]), "invalid_input", "has 2 axes per row, input row needs 1: [4]"),
    "no rank": (loan(inputs=[tensor(shape=[])]), "invalid_input", "number of rows"),
    "shape": (loan(inputs=[tensor(shape=[1, 3], data=[1, 2, 3])]), "invalid_input", "row shape of input row"),
    "negative": (loan(inputs=[tensor(shape=[1, -4])]), "invalid_input", "row shape"),
    "no rows": (loan(inputs=[tensor(shape=[0, 4], data=[])]), "invalid_input", "at least one row"),
    "elements": (loan(inputs=[tensor(data=[1.0, 2.0])]), "invalid_input", "has 2 elements, its shape needs 4"),
    "ragged": (loan(inputs=[tensor(data=[[1.0, 2.0], [3.0]])]), "invalid_input", "ragged"),
    "nesting": (loan(inputs=[tensor(data=[[1.0, 2.0], [0.0, 3.0]])]), "invalid_input", "nested otherwise"),
    "text element": (loan(inputs=[tensor(data=[1, 2, 3, CANARY])]), "invalid_input", "only numbers (FP32)"),
    "false": (loan(inputs=[tensor(data=[1, 2, 3, False])]), "invalid_input", "only numbers (FP32)"),
    "null element": (loan(inputs=[tensor(data=[1, 2, 3, None])]), "invalid_input", "only numbers (FP32)"),
    "overflow": (loan(inputs=[tensor(data=[1, 2, 3, 1e300])]), "input_not_finite", "replace missing values"),
    "huge integer": (loan(inputs=[tensor(data=[1, 2, 3, 10**400])]), "input_not_finite", "NaN or infinity"),
    "fraction": ({**PAIR, "instances": [{"left": [1, 2], "right": [0.5]}]}, "invalid_input", "only whole numbers (INT64)"),
    "many rows": (loan(inputs=[tensor(shape=[NUMBER, 4])]), "payload_too_large", "one job may have"),
    # instances
    "no instances": (rows(), "invalid_input", "at least one row"),
    "short row": (rows([1, 2, 3]), "invalid_input", "row shape of input row"),
    "second row": (rows([1, 2, 3, 4], [1, 2, 3]), "invalid_input", "instances.1"),
    "missing feature": (rows({"age": 1}), "invalid_input", "lacks the features: income, sex, debt"),
    "unknown feature": (rows({**ROW, CANARY: 1}), "invalid_input", "names 1 features"),
    "category": (rows({**ROW, "sex": CANARY}), "invalid_input", "instances.0.sex must be one of f, m"),
    "category index": (rows({**ROW, "sex": 2}), "invalid_input", "must be one of f, m"),
    "feature type": (rows({**ROW, "age": CANARY}), "invalid_input", "only numbers"),
    "input names": ({**PAIR, "instances": [{"left": [1, 2]}]}, "invalid_input", "exactly these inputs: left, right"),
    "bare row": ({**PAIR, "instances": [[1, 2]]}, "invalid_input", "exactly these inputs"),
    "text for a table": (rows(CANARY), "invalid_input", "only numbers"),
    "empty text": (words(" \n"), "invalid_input", "instances.0 is an empty text"),
    "long text": (words("a", CANARY * 100_000), "invalid_input", "instances.1 has more than 1000000 characters"),
    "text and ids": (words(CANARY, [1, 2, 3]), "invalid_input", "as a string, or none"),
    "text and nothing": (words(CANARY, None), "invalid_input", "as a string, or none"),
    "a file for a text": (words(image(PNG)), "invalid_input", "is not an image"),
    "an object for a text": (words({"text": CANARY}), "invalid_input", "not an object"),
    "ids with fractions": (words([1.5]), "invalid_input", "only whole numbers"),
    "mask sent": ({**BERT, "instances": [{"ids": [1] * 16, "mask": [1] * 16}]}, "invalid_input", "names mask, which"),
    "mask as tensor": (
        {**BERT, "inputs": [tensor(name=name, datatype="INT64", shape=[1, 16], data=[1] * 16) for name in ("ids", "mask")]},
        "invalid_input", "names mask, which the tokenizer of input ids fills: leave it out",
    ),
    "mean of texts": (words(CANARY, baseline="mean"), "invalid_baseline", "is not for texts"),
    "blurred text": (words(CANARY, baseline="blur"), "invalid_baseline", "is not for texts"),
    "text as baseline": (words(CANARY, baseline={"tensor": CANARY}), "invalid_baseline", "whole numbers"),
    "texts as background": (words(CANARY, baseline={"background": [CANARY]}), "invalid_baseline", "files or texts"),
    "features of a text": (words(CANARY, params={"features": "letters"}), "invalid_parameter", '"words"'),
    "grid of a text": (words(CANARY, params={"features": {"grid": 2}}), "invalid_parameter", '"tokens", "words", "sentences"'),
    "text unit": (words(CANARY, params={"features": {"text": "lines"}}), "invalid_parameter", "tokens, words, sentences"),
    "words of a table": (loan(params={"features": "words"}), "invalid_parameter", "does not fit input row (tabular)"),
    "base64": ({**DIGITS, "instances": [{"b64": CANARY + "!", "media_type": "image/png"}]}, "invalid_input", "base64"),
    "not png": ({**DIGITS, "instances": [image(b"GIF89a")]}, "invalid_input", "does not hold a file of type image/png"),
    "media type": ({**DIGITS, "instances": [image(PNG, "image/gif")]}, "invalid_input", "image/png or image/jpeg"),
    "file for a table": (rows(image(PNG)), "invalid_input", "is not an image"),
    "files and numbers": ({**DIGITS, "instances": [image(PNG), [0] * 64]}, "invalid_input", "every row"),
    # target
    "target high": (loan(target=3), "invalid_target", "an index from 0 to 2, or a label: low, mid, high"),
    "target low": (loan(target=-1), "invalid_target", "out of range"),
    "label": (loan(target=CANARY), "invalid_target", "a label: low, mid, high"),
    "label without labels": ({**DIGITS, "target": "three"}, "invalid_target", "the card names none"),
    "null target": (loan(target=None), "invalid_target", "must not be null"),
    "target count": (loan(target=[0, 1]), "invalid_target", "lists 2 targets for 1 rows"),
    "target false": (loan(target=False), "invalid_request", "target"),
    "target fraction": (loan(target=1.5), "invalid_request", "an output index, a label"),
    "target of a regression": ({**HOUSE, "target": 1}, "invalid_target", 'one column; use null or "predicted"'),
    # baseline
    "baseline": (loan(baseline=CANARY), "invalid_baseline", '"zeros", "mean"'),
    "baseline blur": (loan(baseline="blur"), "invalid_baseline", "is for images"),
    "baseline mean": ({**HOUSE, "baseline": "mean"}, "invalid_baseline", "the card names none"),
    "baseline key": (loan(baseline={CANARY: 1}), "invalid_baseline", "must be"),
    "baseline text": (loan(baseline={"value": CANARY}), "invalid_baseline", "finite number"),
    "baseline range": ({**PAIR, "baseline": {"value": 0.5}}, "invalid_baseline", "a number that INT64 holds"),
    "baseline shape": (loan(baseline={"tensor": [1, 2]}), "invalid_baseline", "one row of input row, of shape [4]"),
    "baseline rows": (loan(baseline={"tensor": [[1] * 4] * 2}), "invalid_baseline", "each of the job's rows"),
    "baseline inputs": ({**PAIR, "baseline": {"tensor": [1, 2]}}, "invalid_baseline", "exactly these inputs"),
    "no background": (loan(baseline={"background": []}), "invalid_baseline", "at least one row"),
    "background row": (loan(baseline={"background": [[1, 2]]}), "invalid_baseline", "row shape"),
    "background form": (loan(baseline={"background": 3}), "invalid_baseline", "list of rows"),
    "background files": ({**DIGITS, "baseline": {"background": [image(PNG)]}}, "invalid_baseline", "image files"),
    # the request itself
    "no object": ([1], "invalid_request", "must be a JSON object"),
    "unknown field": (loan(modle=1), "invalid_request", "modle: is not a field"),
    "missing model": ({"method": "auto"}, "invalid_request", "model: is missing"),
    "seed text": (loan(seed="7"), "invalid_request", "seed: must be a valid integer"),
    "seed bool": (loan(seed=True), "invalid_request", "seed"),
    "seed low": (loan(seed=-1), "invalid_request", "seed"),
    "deadline": (loan(deadline_s=0), "invalid_request", "deadline_s"),
    "priority": (loan(priority=CANARY), "invalid_request", "'interactive' or 'batch'"),
    "decision": (loan(decision_id=""), "invalid_request", "decision_id"),
    "shape type": (loan(inputs=[tensor(shape=[1, "4"])]), "invalid_request", "inputs.0.shape.1"),
}  # fmt: skip

BODIES = {
    "broken": (b'{"model": "canary-7c1f', 400, "malformed_body", "not JSON"),
    "empty": (b"", 400, "malformed_body", "not JSON"),
    "utf8": (b'{"model": "\xff"}', 400, "malformed_body", "not JSON"),
    "deep": (b"[" * 100_000, 400, "malformed_body", "not JSON"),
    "nan": (json.dumps(loan(inputs=[tensor(data=[1, 2, 3, float("nan")])])).encode(), 422, "input_not_finite", "inputs.0.data"),
    "infinity": (json.dumps(rows([1, 2, 3, 4], [1, 2, 3, float("-inf")])).encode(), 422, "input_not_finite", "instances.1"),
    "nan deadline": (json.dumps(loan(deadline_s=float("nan"))).encode(), 422, "invalid_request", "deadline"),
    "nan value": (json.dumps(loan(baseline={"value": float("nan")})).encode(), 422, "invalid_baseline", "finite number"),
    "nan parameter": (json.dumps(loan(params={"tolerance": float("nan")})).encode(), 422, "invalid_parameter", "finite"),
    "nan background": (
        json.dumps(loan(baseline={"background": [[1, 2, 3, float("nan")]]})).encode(),
        422, "input_not_finite", "baseline.background",
    ),
}  # fmt: skip


def check(answer: Any, status: int, code: str, sentence: str) -> None:
    body = answer.json
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert sentence in body["detail"], body["detail"]
    assert body["error"] == body["detail"]
    assert CANARY not in answer.text
    assert str(NUMBER) not in answer.text
    if status == 422:
        assert body["errors"]
        assert all(set(fault) == {"loc", "msg"} and fault["loc"] for fault in body["errors"])


@pytest.mark.parametrize("case", CASES)
def test_a_bad_request_is_refused_without_a_trace(
    case: str, client: FlaskClient, job_keys: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body, code, sentence = CASES[case]
    status = 413 if code == "payload_too_large" else 422
    check(client.post("/v1/explanations", data=json.dumps(body), content_type="application/json"), status, code, sentence)
    assert job_keys() == []
    assert '"event":"request"' in caplog.text
    assert CANARY not in caplog.text
    assert str(NUMBER) not in caplog.text


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_is_no_json_or_not_finite_is_refused(case: str, client: FlaskClient, job_keys: Any) -> None:
    body, status, code, sentence = BODIES[case]
    check(client.post("/v1/explanations", data=body, content_type="application/json"), status, code, sentence)
    assert job_keys() == []


@pytest.mark.parametrize(
    "place",
    [
        '"baseline": {"value": %s}', '"budget": %s', '"params": {"tolerance": %s}',
        '"quality": [{"check": "deletion", "samples": %s}]',
        '"instances": [[%s, 0.0, 0.0, 0.0]]', '"baseline": {"value": -%s}',
    ],
)  # fmt: skip
def test_a_number_that_no_float_holds_is_refused_wherever_it_stands(place: str, client: FlaskClient, job_keys: Any) -> None:
    body = '{"model": "loan", "method": "kernel_shap", "instances": [[1.0, 2.0, 0.0, 3.0]], ' + place % ("1" * 400) + "}"
    answer = client.post("/v1/explanations", data=body, content_type="application/json")
    assert (answer.status_code, job_keys()) == (422, []), answer.json


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"Content-Type": "text/plain"}, "application/json"),
        ({}, "application/json"),
        ({"Content-Type": "application/json; charset=latin-1"}, "UTF-8"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "Content-Encoding"),
    ],
)
def test_another_media_type_is_refused(headers: dict[str, str], sentence: str, client: FlaskClient, job_keys: Any) -> None:
    answer = client.post("/v1/explanations", data=json.dumps(LOAN).encode(), headers=headers)
    check(answer, 415, "unsupported_media_type", sentence)
    assert job_keys() == []


def test_the_limits_are_named(client: FlaskClient, settings: Any, app: Any) -> None:
    rows_limit = client.post("/v1/explanations", json=CASES["many rows"][0]).json
    assert (rows_limit["limit"], rows_limit["unit"]) == (settings.max_rows, "rows")
    app.config["MAX_CONTENT_LENGTH"] = 100
    answer = client.post("/v1/explanations", json=LOAN)
    check(answer, 413, "payload_too_large", "100 bytes")
    assert (answer.json["limit"], answer.json["unit"]) == (100, "bytes")


def test_without_a_catalogue_nothing_is_admitted(app: Any) -> None:
    answer = app.test_client().post("/v1/explanations", json=LOAN)
    check(answer, 503, "catalogue_unavailable", "start one")
    assert int(answer.headers["Retry-After"]) >= 1
