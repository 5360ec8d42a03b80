"""The protocols of other platforms against a real worker: all give the numbers of the native route."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import texts
from far_sides import add_remote, lab_over
from PIL import Image
from stacks import Stack, until
from wire_v2 import HEADER, array_in_bytes, in_bytes, in_json, infer, outputs, strings

ROWS = [[30.0, 0.0, 1.0, 2.5], [45.0, 1.0, 0.0, -1.0]]
NAMED = [dict(zip(("age", "sex_f", "sex_m", "income"), row, strict=True)) for row in ROWS]
PICTURES = np.random.default_rng(5).normal(size=(2, 1, 8, 8)).astype(np.float32)
SHAP = {"method": "kernel_shap", "samples": 300, "seed": 7, "baseline": "zeros"}
NATIVE = {"params": {"samples": 300}, "seed": 7, "baseline": "zeros"}


@pytest.fixture(scope="module")
def pair(stack: Stack) -> str:
    """A model with two inputs: 1 a + 2 b + 3 c + 4 d."""
    inputs = repos.tensor_input("left", [2], "FP32") + repos.tensor_input("right", [2], "FP32")
    repos.add_stub(stack.models, "pair", 4, inputs=inputs, weights=[1.0, 2.0, 3.0, 4.0])
    until(lambda: stack.http.get("/v1/models/pair").status_code == 200)
    return "pair"


@pytest.fixture(scope="module")
def words(stack: Stack) -> str:
    texts.add_sum(stack.models, "platform-texts")
    until(lambda: stack.http.get("/v1/models/platform-texts").status_code == 200)
    return "platform-texts"


@pytest.fixture(scope="module")
def native(stack: Stack) -> dict[str, Any]:
    return stack.result(stack.submit("table", "kernel_shap", ROWS, **NATIVE))


def data_of(result: dict[str, Any]) -> np.ndarray:
    return np.array([row["attributions"][0]["data"] for row in result["explanations"]])


def v1(stack: Stack, model: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = stack.http.post(f"/v1/models/{model}:explain", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# --- KServe V1 and Vertex


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_v1_rows_as_lists(stack: Stack, native: dict[str, Any], key: str) -> None:
    answer = v1(stack, "table", {key: ROWS, "parameters": SHAP})
    assert set(answer) == {"predictions", "explanations", "deployedModelId"}
    for given, row in zip(answer["explanations"], native["explanations"], strict=True):
        (attribution,) = given["attributions"]
        assert attribution["featureAttributions"] == {"input": row["attributions"][0]["data"]}
        assert attribution["instanceOutputValue"] == row["instance_output"]
        assert attribution["baselineOutputValue"] == row["baseline_output"]
        assert (attribution["outputIndex"], attribution["outputName"]) == ([], "score")
        assert attribution["outputDisplayName"] is None
        assert attribution["approximationError"] is not None
    predicted = [[row["instance_output"]] for row in native["explanations"]]
    np.testing.assert_allclose(answer["predictions"], predicted, rtol=1e-6)
    assert answer["deployedModelId"] == "table@1"


def test_v1_rows_by_feature_name_are_answered_by_feature_name(stack: Stack, native: dict[str, Any]) -> None:
    answer = v1(stack, "table", {"instances": NAMED, "parameters": SHAP})
    for given, row in zip(answer["explanations"], native["explanations"], strict=True):
        found = given["attributions"][0]["featureAttributions"]
        assert list(found) == row["attributions"][0]["features"] == ["age", "sex", "income"]
        assert list(found.values()) == row["attributions"][0]["data"]


def test_v1_without_a_word_on_the_method_explains_by_auto(stack: Stack) -> None:
    answer = v1(stack, "cnn", {"instances": PICTURES.tolist()})
    native = stack.result(stack.submit("cnn", "auto", PICTURES.tolist()))
    for given, row, predicted in zip(answer["explanations"], native["explanations"], answer["predictions"], strict=True):
        (attribution,) = given["attributions"]
        values = np.array(attribution["featureAttributions"]["input"])
        assert values.shape == (1, 8, 8)
        np.testing.assert_array_equal(values.reshape(-1), row["attributions"][0]["data"])
        assert attribution["outputIndex"] == [row["target"]["index"]] == [int(np.argmax(predicted))]
        assert attribution["outputDisplayName"] == row["target"]["label"] in ("a", "b", "c", "d")
        assert max(predicted) == pytest.approx(row["instance_output"], rel=1e-5)


def test_v1_inputs_by_name(stack: Stack, pair: str) -> None:
    columns = {"left": [[1.0, 1.0], [2.0, 0.0]], "right": [[1.0, 1.0], [0.0, 5.0]]}
    tensors = [{"name": n, "datatype": "FP32", "shape": [2, 2], "data": rows} for n, rows in columns.items()]
    instances = [{"left": [1.0, 1.0], "right": [1.0, 1.0]}, {"left": [2.0, 0.0], "right": [0.0, 5.0]}]
    for body in ({"inputs": columns}, {"inputs": tensors}, {"instances": instances}):
        answer = v1(stack, pair, {**body, "parameters": {"method": "exact_shapley"}})
        found = [each["attributions"][0]["featureAttributions"] for each in answer["explanations"]]
        assert found == [{"left": [1.0, 2.0], "right": [3.0, 4.0]}, {"left": [2.0, 0.0], "right": [0.0, 20.0]}]


def test_v1_predict(stack: Stack) -> None:
    answer = stack.http.post("/v1/models/cnn:predict", json={"instances": PICTURES.tolist()})
    assert answer.status_code == 200
    explained = v1(stack, "cnn", {"instances": PICTURES.tolist(), "parameters": {"method": "saliency"}})
    assert answer.json() == {"predictions": explained["predictions"], "deployedModelId": "cnn@1"}
    assert np.shape(answer.json()["predictions"]) == (2, 4)


def test_v1_ready(stack: Stack) -> None:
    assert stack.http.get("/").json()["status"] == "alive"
    model = stack.http.get("/v1/models/table").json()
    assert (model["name"], model["ready"]) == ("table", True)
    assert [version["version"] for version in model["versions"]] == ["1"]


@pytest.mark.parametrize("form", ["snake", "camel"])
def test_vertex_integrated_gradients(stack: Stack, form: str) -> None:
    snake = {
        "explanation_spec_override": {
            "parameters": {"integrated_gradients_attribution": {"step_count": 40}, "output_indices": [2]},
            "metadata": {"inputs": {"input": {"input_baselines": [np.full((1, 8, 8), 0.5).tolist()]}}},
        }
    }
    camel = json.loads(
        json.dumps(snake).replace("explanation_spec_override", "explanationSpecOverride")
        .replace("integrated_gradients_attribution", "integratedGradientsAttribution").replace("step_count", "stepCount")
        .replace("output_indices", "outputIndices").replace("input_baselines", "inputBaselines")
    )  # fmt: skip
    answer = v1(stack, "cnn", {"instances": PICTURES.tolist(), **(snake if form == "snake" else camel)})
    job = stack.submit(
        "cnn", "integrated_gradients", PICTURES.tolist(), params={"max_steps": 40}, target=2, baseline={"value": 0.5}
    )
    native = stack.result(job)
    for given, row in zip(answer["explanations"], native["explanations"], strict=True):
        attribution = given["attributions"][0]
        found = np.ravel(attribution["featureAttributions"]["input"])
        np.testing.assert_allclose(found, row["attributions"][0]["data"], rtol=1e-4, atol=1e-7)
        assert attribution["outputIndex"] == [2]
        assert attribution["approximationError"] == pytest.approx(row["quality"]["approximation_error"], rel=1e-2)


def test_vertex_sampled_shapley_by_feature(stack: Stack) -> None:
    baselines = {name: {"input_baselines": [value]} for name, value in NAMED[1].items()}
    override = {"parameters": {"sampled_shapley_attribution": {"path_count": 50}}, "metadata": {"inputs": baselines}}
    answer = v1(stack, "table", {"instances": NAMED[:1], "explanation_spec_override": override, "parameters": {"seed": 3}})
    players = stack.http.get("/v1/models/table").json()["versions"][0]["players"]
    native = stack.result(
        stack.submit(
            "table", "kernel_shap", ROWS[:1], params={"samples": 50 * (players + 1)}, seed=3, baseline={"tensor": ROWS[1]}
        )
    )
    found = answer["explanations"][0]["attributions"][0]["featureAttributions"]
    assert list(found.values()) == native["explanations"][0]["attributions"][0]["data"]


def test_async_only_when_asked(stack: Stack) -> None:
    body = {"instances": ROWS, "parameters": {"method": "kernel_shap", "seed": 99}}
    answer = stack.http.post("/v1/models/table:explain", json=body, headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    result = stack.result(answer.json()["id"])
    again = v1(stack, "table", body)
    assert np.array_equal(
        [each["attributions"][0]["featureAttributions"]["input"] for each in again["explanations"]], data_of(result)
    )


# --- Open Inference Protocol V2


def test_v2_server_and_models(stack: Stack) -> None:
    assert stack.http.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    for path in ("/v2/health/live", "/v2/health/ready"):
        answer = stack.http.get(path)
        assert (answer.status_code, answer.json()) == (200, {"live": True, "ready": True})
    for path in ("/v2/models/cnn/ready", "/v2/models/cnn/versions/1/ready", "/v2/models/cnn.explain/ready"):
        answer = stack.http.get(path)
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
    plain = stack.http.get("/v2/models/cnn").json()
    assert plain["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 8, 8]}]
    assert plain["outputs"] == [{"name": "score", "datatype": "FP32", "shape": [-1, 4]}]
    assert (plain["name"], plain["versions"]) == ("cnn", ["1"])
    explain = stack.http.get("/v2/models/cnn.explain/versions/1").json()
    assert explain["name"] == "cnn.explain"
    assert {each["name"] for each in explain["outputs"]} >= {
        "attributions", "instance_output", "baseline_output", "completeness_gap",
    }  # fmt: skip


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize("model", ["table", "table.explain"])
@pytest.mark.parametrize(("sent", "back"), [("json", "json"), ("binary", "binary"), ("json", "binary"), ("binary", "json")])
def test_v2_infer(stack: Stack, native: dict[str, Any], model: str, version: str, sent: str, back: str) -> None:
    tensor = (in_json if sent == "json" else array_in_bytes)("input", "FP32", ROWS)
    answer = infer(stack.http, model, [tensor], version, id="q-1", parameters={**SHAP, "binary_data_output": back == "binary"})
    found = outputs(answer)
    np.testing.assert_allclose(found["attributions"], data_of(native), rtol=1e-6)
    for name in ("instance_output", "baseline_output"):
        np.testing.assert_array_equal(found[name], [row[name] for row in native["explanations"]])
    gaps = [row["quality"]["completeness_gap"] for row in native["explanations"]]
    np.testing.assert_array_equal(found["completeness_gap"], gaps)
    assert found["attributions"].dtype == np.float32
    document = json.loads(answer.content[: int(answer.headers.get(HEADER, len(answer.content)))])
    assert (document["id"], document["model_name"], document["model_version"]) == ("q-1", model, "1")
    assert document["parameters"]["verdict"] == native["explanations"][0]["quality"]["verdict"]
    assert (HEADER in answer.headers) is (back == "binary")


def test_v2_outputs_one_by_one(stack: Stack) -> None:
    wanted = [
        {"name": "attributions", "parameters": {"binary_data": True}},
        {"name": "instance_output", "parameters": {"binary_data": False}},
    ]
    answer = infer(stack.http, "table.explain", [in_json("input", "FP32", ROWS)], outputs=wanted)
    assert list(outputs(answer)) == ["attributions", "instance_output"]
    document = json.loads(answer.content[: int(answer.headers[HEADER])])
    assert "data" not in document["outputs"][0]
    assert "data" in document["outputs"][1]
    unknown = infer(stack.http, "table.explain", [in_json("input", "FP32", ROWS)], outputs=[{"name": "score"}])
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_request")
    assert "there are: attributions" in unknown.json()["error"]


def test_v2_of_a_plain_name_is_the_models_answer(stack: Stack) -> None:
    found = outputs(infer(stack.http, "cnn", [array_in_bytes("input", "FP32", PICTURES)]))
    predicted = stack.http.post("/v1/models/cnn:predict", json={"instances": PICTURES.tolist()}).json()["predictions"]
    assert list(found) == ["score"]
    np.testing.assert_array_equal(found["score"], np.array(predicted, np.float32))


def test_v2_several_inputs(stack: Stack, pair: str) -> None:
    tensors = [in_json("left", "FP32", [[1.0, 1.0]]), array_in_bytes("right", "FP32", [[2.0, 3.0]])]
    found = outputs(infer(stack.http, f"{pair}.explain", tensors, parameters={"method": "exact_shapley"}))
    np.testing.assert_allclose(found["attributions.left"], [[1, 2]])
    np.testing.assert_allclose(found["attributions.right"], [[6, 12]])
    np.testing.assert_allclose([found["instance_output"], found["baseline_output"]], [[21], [0]])


def test_v2_texts_as_strings(stack: Stack, words: str) -> None:
    native = stack.result(stack.submit(words, "occlusion", list(texts.TEXTS)))
    count = len(texts.TEXTS)
    in_text = {"name": "input_ids", "datatype": "BYTES", "shape": [count, 1], "data": list(texts.TEXTS)}, b""
    encoded = [text.encode() for text in texts.TEXTS]
    for tensor in (in_text, in_bytes("input_ids", "BYTES", [count], strings(encoded))):
        found = outputs(infer(stack.http, f"{words}.explain", [tensor], parameters={"method": "occlusion"}))
        for values, row in zip(found["attributions"], native["explanations"], strict=True):
            (attribution,) = row["attributions"]
            np.testing.assert_allclose(values[: attribution["shape"][0]], attribution["data"], rtol=1e-5)


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(out, "PNG")
    return out.getvalue()


def test_image_files_in_every_protocol(stack: Stack) -> None:
    encoded = base64.b64encode(png()).decode()
    row = {"b64": encoded, "media_type": "image/png"}
    native = data_of(stack.result(stack.submit("cnn", "integrated_gradients", [row], target="c")))[0]
    ask = {"method": "integrated_gradients", "target": "c"}
    by_v1 = v1(stack, "cnn", {"instances": [{"b64": encoded}], "parameters": ask})
    np.testing.assert_array_equal(np.ravel(by_v1["explanations"][0]["attributions"][0]["featureAttributions"]["input"]), native)
    tensor = in_bytes("input", "BYTES", [1], strings([png()]))
    by_v2 = outputs(infer(stack.http, "cnn.explain", [tensor], parameters=ask))
    np.testing.assert_array_equal(by_v2["attributions"].reshape(-1), native.astype(np.float32))
    answer = stack.http.post("/explanations/cnn", params=ask, content=png())
    np.testing.assert_array_equal(np.ravel(answer.json()), native)


# --- TorchServe


def test_torchserve_by_curl(stack: Stack, native: dict[str, Any], tmp_path: Path) -> None:
    """The forms of TorchServe's own pages: `-T file`, `-d data`, `-F data=@file`."""
    (tmp_path / "row.json").write_text(json.dumps(ROWS[0]))
    (tmp_path / "body.json").write_text(json.dumps({"data": ROWS[0], "target": 0}))
    url = f"{stack.http.base_url}/explanations/table?method=kernel_shap&samples=300&seed=7&baseline=zeros"
    forms = (
        ["-T", "row.json"], ["-X", "POST", "-T", "row.json"], ["-d", "@row.json"], ["-d", "@body.json"],
        ["-F", "data=@row.json"], ["-F", "data=<row.json", "-F", "target=0"],
    )  # fmt: skip
    for form in forms:
        done = subprocess.run(["curl", "-sS", url, *form], cwd=tmp_path, capture_output=True, check=True, timeout=60)
        assert json.loads(done.stdout) == native["explanations"][0]["attributions"][0]["data"], form
    (tmp_path / "named.json").write_text(json.dumps(NAMED[0]))
    done = subprocess.run(["curl", "-sS", url, "-T", "named.json"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    attribution = native["explanations"][0]["attributions"][0]
    assert json.loads(done.stdout) == dict(zip(attribution["features"], attribution["data"], strict=True))


def test_torchserve_rows_versions_and_texts(stack: Stack, native: dict[str, Any], words: str) -> None:
    query = {"method": "kernel_shap", "samples": "300", "seed": "7", "baseline": "zeros"}
    many = stack.http.post("/explanations/table/1", params=query, json={"instances": ROWS})
    assert many.json() == data_of(native).tolist()
    text = next(iter(texts.TEXTS))
    answer = stack.http.post(f"/explanations/{words}", params={"method": "occlusion"}, content=text).json()
    (row,) = stack.result(stack.submit(words, "occlusion", [text]))["explanations"]
    (attribution,) = row["attributions"]
    assert (answer["words"], answer["importances"]) == (attribution["features"], attribution["data"])
    moved = row["instance_output"] - row["baseline_output"]
    assert answer["delta"] == pytest.approx(sum(attribution["data"]) - moved)


@pytest.mark.parametrize("form", [{"protocol": "v1"}, {}, {"binary": True}], ids=["v1", "v2", "v2-binary"])
def test_our_own_client_of_both_protocols_reads_it(stack: Stack, tmp_path: Path, form: dict[str, Any]) -> None:
    """A card of format "remote" that points to this service: the bytes of both sides fit."""
    image, scores = repos.tensor_input("input", [1, 8, 8]), repos.output(4)
    add_remote(tmp_path, "far", str(stack.http.base_url), model="cnn", inputs=image, outputs=scores, **form)
    found = lab_over(tmp_path).load("far").model.forward({"input": PICTURES})
    predicted = stack.http.post("/v1/models/cnn:predict", json={"instances": PICTURES.tolist()}).json()["predictions"]
    np.testing.assert_allclose(found, predicted, rtol=1e-6)
