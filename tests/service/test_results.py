"""The result in every form."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from explainery.contract.tensors import unpack_result


@pytest.fixture
def url(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> str:
    job = client.post("/v1/explanations", json=loan).json
    assert worker.succeed(worker.take())
    return str(job["links"]["result"])


def test_npz_safetensors_and_json_hold_the_same(client: FlaskClient, url: str, loan: dict[str, Any]) -> None:
    wanted = np.array(loan["inputs"][0]["data"], dtype=np.float32).reshape(2, 4)
    with np.load(io.BytesIO(client.get(url, headers={"Accept": "application/x-npz"}).data)) as archive:
        np.testing.assert_array_equal(archive["attributions.row"], wanted)
        document = json.loads(str(archive["result"]))
    result, arrays = unpack_result(client.get(url, headers={"Accept": "application/vnd.safetensors"}).data)
    np.testing.assert_array_equal(arrays["attributions.row"], wanted)
    assert document == result.model_dump(mode="json")
    answer = client.get(url).json
    np.testing.assert_array_equal([row["attributions"][0]["data"] for row in answer["explanations"]], wanted)
    assert answer["explanations"][0]["attributions"][0]["standard_error"] is None
    assert answer["value_function"] == "baseline"


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json;q=0.2, application/x-npz;q=0.9", "application/x-npz"),
        ("application/vnd.safetensors, application/json;q=0.5", "application/vnd.safetensors"),
        ("text/html, application/xhtml+xml, */*;q=0.1", "application/json"),
        ("application/json;q=0, application/x-npz;q=0.1", "application/x-npz"),
    ],
)
def test_the_best_accepted_form_is_given(accept: str, given: str, client: FlaskClient, url: str) -> None:
    answer = client.get(url, headers={"Accept": accept})
    assert (answer.status_code, answer.content_type, answer.headers["Vary"]) == (200, given, "Accept")
