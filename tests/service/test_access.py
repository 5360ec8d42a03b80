"""Who may come in, and what for: keys, roles, and what is said to those who may not."""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from explainery.contract.access import Role
from explainery.settings import Settings
from service.app import create_app
from service.roles import OPEN, ROLES

JOBS = "/v1/explanations"
NEVER = f"{JOBS}/{'0' * 26}"
STRANGER = "exk_000000000000_" + "A" * 43


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"], answer.content_type) == (status, code, "application/problem+json")
    assert answer.json["error"] == answer.json["detail"]


def get(app: Flask, path: str = JOBS, **headers: str) -> Any:
    return app.test_client().get(path, headers=headers)


def test_without_a_key_nothing_is_told(guarded: Any) -> None:
    for path in (JOBS, NEVER, "/v1/models", "/v1/methods", "/v2", "/metrics", "/v1/nothing", "/v1/events"):
        answer = get(guarded.app, path)
        refused(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="explainery"'


def test_every_route_but_the_open_ones_asks_for_a_key(guarded: Any) -> None:
    client = guarded.app.test_client()
    for rule in guarded.app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        method = next(iter(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})))
        status = client.open(path, method=method).status_code
        assert (status == 401) == (rule.endpoint not in OPEN), rule


def test_open_routes_and_roles_are_of_routes_that_there_are(guarded: Any) -> None:
    there = {rule.endpoint for rule in guarded.app.url_map.iter_rules()}
    assert there >= OPEN | set(ROLES)


def test_health_needs_no_key(guarded: Any) -> None:
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"):
        assert get(guarded.app, path).status_code == 200


def test_a_key_comes_as_bearer_or_as_x_api_key(guarded: Any) -> None:
    _, token = guarded.keys.create("k", "one", Role.VIEWER)
    assert get(guarded.app, Authorization=f"Bearer {token}").status_code == 200
    assert get(guarded.app, Authorization=f"bearer  {token} ").status_code == 200
    assert get(guarded.app, **{"X-Api-Key": token}).status_code == 200


@pytest.mark.parametrize("shown", [STRANGER, "exk_", "x", "exk_000000000000_é", "a.b.c"])
def test_what_is_no_key_is_refused_and_not_repeated(guarded: Any, shown: str) -> None:
    answer = get(guarded.app, Authorization=f"Bearer {shown}")
    refused(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="explainery", error="invalid_token"'
    assert len(shown) < 5 or shown not in answer.text


def test_another_scheme_is_refused(guarded: Any) -> None:
    refused(get(guarded.app, Authorization="Basic YTpi"), 401, "unauthenticated")


def test_the_secret_counts_and_not_the_id_alone(guarded: Any) -> None:
    made, token = guarded.keys.create("k", "one", Role.VIEWER)
    refused(get(guarded.app, Authorization=f"Bearer exk_{made.id}_{'A' * 43}"), 401, "unauthenticated")
    assert get(guarded.app, Authorization=f"Bearer {token}").status_code == 200


def test_a_revoked_and_an_expired_key_open_nothing(guarded: Any, until: Any) -> None:
    made, token = guarded.keys.create("k", "one", Role.VIEWER)
    guarded.keys.revoke(made.id)
    refused(get(guarded.app, Authorization=f"Bearer {token}"), 401, "unauthenticated")
    _, token = guarded.keys.create("k", "one", Role.VIEWER, ttl_s=0.05)
    until(lambda: get(guarded.app, Authorization=f"Bearer {token}").status_code == 401)


def test_only_a_digest_is_kept_and_the_last_use_is_noted(guarded: Any, worker: Any) -> None:
    made, token = guarded.keys.create("k", "one", Role.VIEWER)
    get(guarded.app, Authorization=f"Bearer {token}")
    (listed,) = guarded.keys.all()
    assert (listed.id, listed.tenant, listed.role, made.used_at) == (made.id, "one", "viewer", None)
    assert listed.used_at >= listed.created_at
    record = worker.redis.hgetall(f"{{explainery}}:apikey:{made.id}")
    assert not any(token[-43:].encode() in value for value in record.values())


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        ("GET", JOBS, Role.VIEWER),
        ("GET", f"{NEVER}/result", Role.VIEWER),
        ("GET", "/v1/models", Role.VIEWER),
        ("POST", f"{JOBS}:estimate", Role.VIEWER),
        ("POST", JOBS, Role.SUBMITTER),
        ("POST", f"{NEVER}/cancel", Role.SUBMITTER),
        ("POST", "/v1/models/loan:explain", Role.SUBMITTER),
        ("PUT", "/explanations/loan", Role.SUBMITTER),
        ("DELETE", f"/v1/webhooks/wh_{'0' * 26}", Role.SUBMITTER),
        ("DELETE", NEVER, Role.OPERATOR),
        ("POST", "/v1/models", Role.OPERATOR),
        ("GET", "/metrics", Role.MONITOR),
    ],
)
def test_each_role_may_what_it_may(guarded: Any, method: str, path: str, needs: Role) -> None:
    for role in Role:
        answer = guarded.client("one", role).open(path, method=method)
        forbidden = answer.status_code == 403 and answer.json["code"] == "forbidden"
        assert forbidden != role.may(needs), role
        assert not forbidden or f"the role {needs}" in answer.json["detail"]


def test_the_tenant_is_the_key_s_whatever_the_header_says(guarded: Any, loan: dict[str, Any]) -> None:
    client = guarded.client("one")
    assert client.post(JOBS, json=loan).json["tenant"] == "one"
    assert client.get(JOBS, headers={"X-Explainery-Tenant": "one"}).status_code == 200
    refused(client.get(JOBS, headers={"X-Explainery-Tenant": "two"}), 403, "forbidden")


def test_where_nobody_is_asked_the_header_still_tells_tenants_apart(client: FlaskClient, loan: dict[str, Any]) -> None:
    job = client.post(JOBS, json=loan, headers={"X-Explainery-Tenant": "one"}).json
    assert client.get(job["links"]["self"], headers={"X-Explainery-Tenant": "one"}).status_code == 200
    refused(client.get(job["links"]["self"]), 404, "job_not_found")
    assert client.get(JOBS).json["jobs"] == []


def test_a_forgotten_job_is_gone_for_its_tenant_and_never_was_for_others(guarded: Any, loan: dict[str, Any]) -> None:
    mine, others = guarded.client("one"), guarded.client("two")
    job = mine.post(JOBS, json=loan).json["links"]["self"]
    mine.delete(job)
    refused(mine.get(job), 410, "job_gone")
    refused(others.get(job), 404, "job_not_found")


def test_no_key_and_no_token_is_logged_but_the_key_s_id_is(guarded: Any, caplog: pytest.LogCaptureFixture) -> None:
    made, token = guarded.keys.create("k", "one", Role.VIEWER)
    with caplog.at_level(logging.DEBUG):
        get(guarded.app, f"{JOBS}?cursor=x", Authorization=f"Bearer {token}")
        get(guarded.app, Authorization=f"Bearer {STRANGER}")
    assert made.id in caplog.text
    assert token[-43:] not in caplog.text
    assert STRANGER not in caplog.text


def test_models_a_tenant_may_not_use_are_not_there(guarded: Any, loan: dict[str, Any]) -> None:
    guarded.tenants.set("one", models=["dig*", "house"])
    client, free = guarded.client("one"), guarded.client("two")
    assert {model["name"] for model in client.get("/v1/models").json["models"]} == {"digits", "house"}
    assert "loan" in {model["name"] for model in free.get("/v1/models").json["models"]}
    for path in ("/v1/models/loan", "/v1/models/loan/layers", "/v2/models/loan", "/v2/models/loan/ready"):
        answer, unknown = client.get(path), client.get(path.replace("loan", "lawn"))
        refused(answer, 404, "unknown_model")
        assert answer.json["detail"] == unknown.json["detail"]
        assert "loan" not in answer.text
    refused(client.post(JOBS, json=loan), 422, "unknown_model")
    refused(client.post("/v1/models/loan:explain", json={"instances": [[1.0, 2.0, 0.0, 3.0]]}), 404, "unknown_model")
    assert free.post(JOBS, json=loan).status_code == 202
    guarded.tenants.set("one", models=["*"])
    assert client.post(JOBS, json=loan).status_code == 202


def test_a_setting_names_the_models_of_tenants_without_a_list(settings: Settings, guarded: Any) -> None:
    app = guarded.serve(tenant_models=("house",))
    assert [model["name"] for model in guarded.client("one", app=app).get("/v1/models").json["models"]] == ["house"]


def test_where_nobody_is_asked_no_key_is_looked_at(settings: Settings, worker: Any) -> None:
    app = create_app(dataclasses.replace(settings, auth="off"))
    assert get(app, Authorization=f"Bearer {STRANGER}").status_code == 200
    app.extensions["explainery"].hub.close()
