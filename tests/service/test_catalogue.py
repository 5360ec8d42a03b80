"""Models, methods, health, metrics, and the API's description of itself."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate


def test_models_show_cards_versions_and_what_works(client: FlaskClient) -> None:
    models = {model["name"]: model["versions"] for model in client.get("/v1/models").json["models"]}
    assert [version["version"] for version in models["loan"]] == ["2", "1"]
    house = models["house"][0]
    assert house["methods"]["kernel_shap"] == {"available": True, "reason": None}
    assert house["methods"]["integrated_gradients"]["available"] is False
    assert "predictions only" in house["methods"]["integrated_gradients"]["reason"]
    assert models["broken"][0]["fault"].startswith("model.onnx is missing")
    assert set(house) >= {"version", "digest", "runtime", "card", "methods", "fault"}
    assert client.get("/v1/models/house").json == {"name": "house", "versions": [house], "ready": True}
    assert [version["version"] for version in client.get("/v1/models/loan@1").json["versions"]] == ["1"]


def test_methods_describe_their_parameters(client: FlaskClient) -> None:
    methods = {method["name"]: method for method in client.get("/v1/methods").json["methods"]}
    assert set(methods) == {
        "auto",
        "exact_shapley",
        "kernel_shap",
        "integrated_gradients",
        "occlusion",
        "owen",
        "tcav",
        "report",
        "predict",
    }
    samples = methods["kernel_shap"]["params"][0]
    assert {name: samples[name] for name in ("name", "type", "unit", "default", "minimum", "maximum")} == {
        "name": "samples", "type": "integer", "unit": "calls", "default": 2048, "minimum": 4, "maximum": 1e6,
    }  # fmt: skip
    assert (methods["kernel_shap"]["random"], methods["kernel_shap"]["completeness"]) == (True, True)
    assert client.get("/v1/methods/auto").json == methods["auto"]


def test_readyz_says_what_is_missing(client: FlaskClient, worker: Any) -> None:
    assert client.get("/readyz").json == {"status": "ready", "workers": 1}
    worker.catalogue.withdraw("worker-hand")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["code"]) == (503, "no_worker")
    assert "start one" in answer.json["detail"]
    assert client.get("/healthz").status_code == 200


def test_metrics_count_jobs_and_requests(client: FlaskClient, loan: dict[str, Any]) -> None:
    client.post("/v1/explanations", json=loan)
    text = client.get("/metrics").text
    assert 'explainery_jobs{state="queued"} 1.0' in text
    assert "explainery_jobs_waiting 1.0" in text
    assert "explainery_workers 1.0" in text
    assert 'explainery_http_requests_total{method="POST",route="/v1/explanations",status="202"} 1.0' in text


def test_the_openapi_document_is_valid_and_complete(app: Flask, client: FlaskClient) -> None:
    spec = client.get("/openapi.json").json
    validate(spec)
    assert spec["openapi"].startswith("3.1")
    routes = {re.sub(r"<(?:string:|plain:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert set(spec["paths"]) == routes - {"/openapi.json", "/docs"}
    submit = spec["paths"]["/v1/explanations"]["post"]
    assert submit["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/JobRequest")
    for path in spec["paths"].values():
        for operation in (value for value in path.values() if isinstance(value, dict)):
            assert operation["summary"]
            assert "default" not in operation["responses"], f"list what {operation['operationId']} refuses in statuses.py"
            assert {"500", "503"} <= set(operation["responses"])


def test_the_docs_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert answer.content_type.startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.findall(r"https?://|//[a-z]+\.", answer.text)
    assert "openapi.json" in answer.text
