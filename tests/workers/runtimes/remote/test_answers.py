"""An answer is all that was asked for, or it is an error: a far side that errs, in every way one could think of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import far_side
import numpy as np
import pytest
from far_sides import TWO, FarSide, lab_over

from explainery.contract.errors import ModelOutputNotFinite, RemoteAnswerInvalid, RemoteUnavailable
from explainery.contract.model_card import OutputSpec
from workers.local import Local, Order
from workers.plugins import Model
from workers.runtimes.remote.exchange import Reply
from workers.runtimes.remote.v2 import answer

ROWS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
FORMS = {"json": {}, "binary": {"binary": True}, "v1": {"protocol": "v1"}}


def body(document: Any, **headers: str) -> dict[str, Any]:
    return {"mode": "body", "body": document if isinstance(document, str) else json.dumps(document), "headers": headers}


def outputs(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "score", "datatype": "FP32", "shape": [3, 2], "data": [0.5] * 6, **changes}
    return body({"outputs": [{key: value for key, value in tensor.items() if value is not None}]})


V2 = ("json", "binary")
FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "fewer rows": ({"mode": "fewer_rows"}, (*V2, "v1"), "answered 2 rows"),
    "more rows": ({"mode": "more_rows"}, (*V2, "v1"), "answered 4 rows"),
    "fewer columns": ({"mode": "fewer_columns"}, (*V2, "v1"), "the card says [2]"),
    "no columns": ({"mode": "flat"}, V2, "answered 6 rows"),
    "another datatype": ({"mode": "wrong_datatype"}, V2, "is not FP32"),
    "no such output": ({"mode": "missing"}, V2, "0 outputs called score"),
    "another request's answer": ({"mode": "wrong_id"}, V2, "another request"),
    "an element too few": ({"mode": "short"}, V2, "needs"),
    "an element too many": ({"mode": "long"}, V2, "needs"),
    "fewer bytes than it says": ({"mode": "binary", "lie": 4}, ("binary",), "cut short"),
    "more bytes than it says": ({"mode": "binary", "lie": -4}, ("binary",), "more bytes"),
    "a length past the end": ({"mode": "binary", "header_lie": 10_000}, ("binary",), "Inference-Header"),
    "a length that cuts the object": ({"mode": "binary", "header_lie": -3}, ("binary",), "not JSON"),
    "a length that is none": (body({}, **{"Inference-Header-Content-Length": "-2"}), V2, "Inference-Header"),
    "bytes without a length": (outputs(data=None, parameters={"binary_data_size": 24}), V2, "cut short"),
    "a size that is none": (outputs(data=None, parameters={"binary_data_size": True}), V2, "cut short"),
    "null": ({"mode": "null"}, ("json", "v1"), "not FP32"),
    "a string": ({"mode": "string"}, ("json", "v1"), "not FP32"),
    "true": ({"mode": "true"}, ("json", "v1"), "not FP32"),
    "no JSON": (body("<html>a secret</html>"), (*V2, "v1"), "not JSON"),
    "half of JSON": (body('{"outputs": ['), (*V2, "v1"), "not JSON"),
    "too deep": (body("[" * 100_000), (*V2, "v1"), "not JSON"),
    "no object": (body([1, 2]), (*V2, "v1"), "not a JSON object"),
    "an error with status 200": (body({"error": "a secret"}), V2, "no list of outputs"),
    "an error with status 200, v1": (body({"error": "a secret"}), ("v1",), "no list of predictions"),
    "no outputs": (body({"outputs": []}), V2, "0 outputs called score"),
    "outputs that are none": (body({"outputs": [7]}), V2, "no list of outputs"),
    "the output twice": (body({"outputs": [{"name": "score"}] * 2}), V2, "2 outputs called score"),
    "no shape": (outputs(shape=None), V2, "has no shape"),
    "a shape of truths": (outputs(shape=[True, 2]), V2, "has no shape"),
    "a negative shape": (outputs(shape=[3, -1]), V2, "has no shape"),
    "a column as a row": (outputs(shape=[3], data=[1.0] * 3), V2, "has rows of shape []"),
    "an axis too many": (outputs(shape=[3, 2, 1]), V2, "has rows of shape [2, 1]"),
    "no predictions": (body({"predictions": []}), ("v1",), "answered 0 rows"),
    "numbers for rows": (body({"predictions": [1.0] * 3}), ("v1",), "has rows of shape []"),
    "a bare number": (outputs(shape=[], data=1.0), V2, "answered no rows"),
    "no data": (outputs(data=None), V2, "not FP32"),
    "ragged data": (outputs(data=[[1.0, 2.0], [1.0], [1.0, 2.0]]), V2, "ragged"),
    "data nested otherwise": (outputs(data=[[1.0] * 3] * 2), V2, "nested otherwise"),
    "compressed": ({**outputs(), "headers": {"Content-Encoding": "gzip"}}, V2, "compressed"),
    "ragged predictions": (body({"predictions": [[1.0, 2.0], [1.0], [1.0, 2.0]]}), ("v1",), "ragged"),
    "a prediction of another kind": (body({"predictions": [[1.0, 2.0], 1.0, [1.0, 2.0]]}), ("v1",), "ragged"),
    "objects without the output": (body({"predictions": [{"other": 1.0}] * 3}), ("v1",), "have no score"),
    "an object too few": (body({"predictions": [{"score": [1.0, 2.0]}, [1.0, 2.0], [1.0, 2.0]]}), ("v1",), "not FP32"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "form"), [(fault, form) for fault in FAULTS for form in FAULTS[fault][1]])
def test_an_answer_that_is_not_all_of_it_is_an_error(model: Callable[..., Model], far: FarSide, fault: str, form: str) -> None:
    switch, _, says = FAULTS[fault]
    loaded = model(**FORMS[form])
    far.switch(**switch)
    with pytest.raises(RemoteAnswerInvalid) as error:
        loaded.forward({"input": ROWS})
    assert says in error.value.detail
    assert "secret" not in error.value.detail
    assert not error.value.retryable
    np.testing.assert_allclose(loaded.forward({"input": ROWS}), far_side.waves(ROWS), atol=1e-6)


@pytest.mark.parametrize("form", ["json", "binary"])
def test_one_batch_of_many_that_is_wrong_spoils_the_chunk(model: Callable[..., Model], far: FarSide, form: str) -> None:
    loaded = model(batch=1, concurrency=3, **FORMS[form])
    far.switch(mode="missing")
    with pytest.raises(RemoteAnswerInvalid):
        loaded.forward({"input": np.repeat(ROWS, 4, axis=0)})


@pytest.mark.parametrize("form", ["json", "binary"])
def test_an_answer_that_breaks_off_may_pass(model: Callable[..., Model], far: FarSide, form: str) -> None:
    """The connection ends before the Content-Length is reached: nothing is known of the rest."""
    loaded = model(**FORMS[form])
    far.switch(mode="cut")
    with pytest.raises(RemoteUnavailable, match="broke off"):
        loaded.forward({"input": ROWS})


@pytest.mark.parametrize("more", ["json", "binary"])
@pytest.mark.parametrize("form", ["json", "binary"])
def test_outputs_that_nobody_asked_for_are_passed_over(model: Callable[..., Model], far: FarSide, form: str, more: str) -> None:
    loaded = model(**TWO, **FORMS[form])
    far.switch(all_outputs=more)
    rows = {"table": np.ones((3, 2)), "flags": np.array([[True, False]] * 3)}
    assert np.array_equal(loaded.forward(rows), [[2.0, 1.0]] * 3)


@pytest.mark.parametrize("form", FORMS)
def test_nan_fails_the_job_whose_row_it_is(tmp_path: Any, model: Callable[..., Model], far: FarSide, form: str) -> None:
    model(**FORMS[form])
    lab: Local = lab_over(tmp_path)
    lab.load("m")
    far.switch(mode="nan", count=-1)
    with pytest.raises(ModelOutputNotFinite):
        lab.explain("m", Order("exact_shapley", {"input": ROWS[:1]}, {}))


@pytest.mark.parametrize(
    ("value", "says"), [("1e400", "not INT32"), ("1" * 400, "range"), (str(2**31), "range"), ("1.0", "not INT32")]
)
def test_a_number_outside_the_datatype_is_none(value: str, says: str) -> None:
    spec = OutputSpec(name="score", datatype="INT32", shape=(-1, 1))
    text = f'{{"outputs": [{{"name": "score", "datatype": "INT32", "shape": [2, 1], "data": [1, {value}]}}]}}'
    with pytest.raises(RemoteAnswerInvalid, match=says):
        answer(Reply({}, text.encode()), spec, 2, "1")


# --- the version that answers


def test_another_version_than_the_cards_is_no_answer(model: Callable[..., Model], far: FarSide) -> None:
    loaded = model(version="1")
    assert loaded.environment["remote_version"] == "1"
    far.switch(version="9")
    with pytest.raises(RemoteAnswerInvalid, match="another version than 1"):
        loaded.forward({"input": ROWS})


def test_a_card_without_a_version_learns_it(model: Callable[..., Model], far: FarSide) -> None:
    loaded = model()
    assert loaded.environment["remote_version"] is None
    loaded.forward({"input": ROWS})
    assert loaded.environment == {
        "device": "remote", "remote_protocol": "v2", "remote_model": "waves", "remote_version": "2",
    }  # fmt: skip


def test_values_of_two_versions_do_not_meet(tmp_path: Any, model: Callable[..., Model], far: FarSide) -> None:
    """Once the version has changed, every job in hand starts again, and on a model that is loaded anew."""
    model()
    lab = lab_over(tmp_path)
    old = lab.load("m").model
    old.forward({"input": ROWS})
    far.switch(version="3", count=-1)
    for _ in range(2):
        with pytest.raises(RemoteUnavailable, match="another version") as error:
            old.forward({"input": ROWS})
        assert error.value.retryable
    new = lab.load("m").model
    assert new is not old
    new.forward({"input": ROWS})
    assert new.environment["remote_version"] == "3"
    assert lab.load("m").model is new


def test_a_refusal_is_looked_into_job_by_job(tmp_path: Any, model: Callable[..., Model], far: FarSide) -> None:
    """As an exception of a local model is: what is refused in company may be answered alone."""
    model()
    lab = lab_over(tmp_path)
    lab.load("m")
    far.switch(mode="status", status=400)
    orders = [Order("exact_shapley", {"input": ROWS[[row]]}, {}) for row in range(2)]
    results = lab.explain_all("m", orders)
    outputs = [result.explanations[0].instance_output for result, _ in results]
    np.testing.assert_allclose(outputs, far_side.waves(ROWS[:2]).max(axis=1), atol=1e-6)
