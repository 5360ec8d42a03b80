"""One error shape on every route."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

SHAPE = {"type", "title", "status", "detail", "instance", "code", "error", "retryable"}
CANARY = "canary-7c1f"


def is_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert set(answer.json) >= SHAPE
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["error"] == answer.json["detail"]
    assert answer.json["detail"]
    assert answer.json["instance"].endswith(answer.headers["X-Request-Id"])
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/{CANARY}", 404, "route_not_found"),
        ("GET", "/v1", 404, "route_not_found"),
        ("PUT", "/v1/explanations", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
        ("GET", f"/v1/models/{CANARY}", 404, "unknown_model"),
        ("GET", f"/v1/models/loan@{CANARY}", 404, "unknown_model_version"),
        ("GET", f"/v1/methods/{CANARY}", 404, "unknown_method"),
        ("GET", f"/v1/explanations/{CANARY}", 404, "job_not_found"),
        ("GET", f"/v1/explanations/{CANARY}/result", 404, "job_not_found"),
        ("POST", f"/v1/explanations/{CANARY}/cancel", 404, "job_not_found"),
        ("DELETE", f"/v1/explanations/{CANARY}", 404, "job_not_found"),
        ("GET", f"/v1/explanations?status={CANARY}", 422, "invalid_request"),
        ("GET", f"/v1/explanations?limit={CANARY}", 422, "invalid_request"),
        ("GET", "/v1/explanations?limit=0", 422, "invalid_request"),
        ("GET", f"/v1/explanations?cursor={CANARY}", 422, "invalid_request"),
        ("GET", "/v1/explanations?colour=red", 422, "invalid_request"),
    ],
)
def test_every_refusal_has_the_one_shape(method: str, path: str, status: int, code: str, client: FlaskClient) -> None:
    is_problem(client.open(path, method=method), status, code)


def test_405_names_what_is_allowed(client: FlaskClient) -> None:
    assert "POST" in client.put("/v1/explanations").headers["Allow"]


def at(rule: str) -> str:
    """A path that a rule matches."""
    return rule.replace("<job_id>", "0" * 26).replace("<kind>.<form>", "bars.svg")


def test_a_media_type_nobody_can_give_is_406_on_every_route_of_the_api(app: Flask, client: FlaskClient) -> None:
    routes = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/v1/") and rule.methods]
    assert len(routes) >= 10
    for rule in routes:
        method = min(rule.methods - {"HEAD", "OPTIONS"})
        if method == "DELETE":  # it answers without a body
            continue
        path = at(rule.rule.replace("<string:", "<").replace("<plain:", "<")).replace("<name>", "loan")
        is_problem(client.open(path, method=method, headers={"Accept": "image/png"}), 406, "not_acceptable")


def test_every_route_has_the_shape_when_redis_is_away(app: Flask, client: FlaskClient, loan: Any, redis_server: Any) -> None:
    redis_server.stop()
    try:
        for rule in app.url_map.iter_rules():
            if not rule.rule.startswith("/v1/explanations/") and rule.rule != "/readyz":
                continue
            method = min(rule.methods - {"HEAD", "OPTIONS"})
            answer = client.open(at(rule.rule), method=method, json={} if method == "POST" else None)
            is_problem(answer, 503, "store_unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.json["retryable"] is True
        assert b"explainery_redis_up 0.0" in client.get("/metrics").data
        assert client.get("/healthz").status_code == 200
    finally:
        redis_server.start()


def test_a_fault_of_ours_is_a_500_that_says_nothing(app: Flask, worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app.add_url_rule("/fault", view_func=lambda: int(CANARY))
    is_problem(app.test_client().get("/fault"), 500, "internal_error")
    assert '"event":"unexpected_error"' in caplog.text
    assert '"kind":"ValueError"' in caplog.text
    assert "test_problems.py" in caplog.text
    assert CANARY not in caplog.text
