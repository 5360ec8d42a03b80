"""The routes of webhooks."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from flask.testing import FlaskClient
from targets import targets, until

from explainery.contract.batch_events import BATCH_ENDS
from explainery.contract.events import ENDS, TYPES
from explainery.courier.courier import Courier
from explainery.settings import Settings
from explainery.store.webhooks import WebhookStore
from service.tenant import HEADER as TENANT

URL = "https://hooks.example.com/explainery"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, webhook_allowed=("127.0.0.1",), webhooks=2)


def add(client: FlaskClient, url: str = URL, tenant: str = "default", **more: Any) -> Any:
    return client.post("/v1/webhooks", json={"url": url, **more}, headers={TENANT: tenant})


def test_a_webhook_is_added_shown_and_removed(client: FlaskClient):
    added = add(client, description="loans")
    document = added.json
    assert (added.status_code, added.headers["Location"]) == (201, document["links"]["self"])
    assert (document["url"], document["types"], document["description"]) == (URL, [*ENDS, *BATCH_ENDS], "loans")
    assert document["secret"].startswith("whsec_")
    shown = client.get(document["links"]["self"])
    assert shown.json == {name: value for name, value in document.items() if name != "secret"}
    assert client.get("/v1/webhooks").json["webhooks"] == [shown.json]
    assert client.delete(document["links"]["self"]).status_code == 204
    assert client.get(document["links"]["self"]).json["code"] == "webhook_not_found"
    assert client.get("/v1/webhooks").json["webhooks"] == []


def test_the_secret_is_shown_once_and_logged_never(client: FlaskClient, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    secret = add(client).json["secret"]
    (webhook,) = client.get("/v1/webhooks").json["webhooks"]
    assert secret not in str(webhook)
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://canary:pw@hooks.example.com/"}, "url"),
        ({"url": ""}, "url"),
        ({"url": URL, "types": []}, "types"),
        ({"url": URL, "types": ["explanation.finished"]}, "types.0"),
        ({"url": URL, "types": "explanation.failed"}, "types"),
        ({"url": URL, "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
def test_what_is_no_webhook_is_refused(client: FlaskClient, body: dict[str, Any], loc: str):
    answer = client.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (422, loc)
    assert "canary" not in answer.text


def test_more_than_may_be_is_a_conflict(client: FlaskClient):
    assert [add(client).status_code for _ in range(3)] == [201, 201, 409]
    assert add(client, tenant="other").status_code == 201


def test_another_tenants_webhook_is_404_on_every_route(client: FlaskClient):
    here = add(client).json["links"]["self"]
    other = {TENANT: "other"}
    answers = [
        client.get(here, headers=other), client.delete(here, headers=other), client.get(f"{here}/deliveries", headers=other),
        client.post(f"{here}/ping", headers=other),
    ]  # fmt: skip
    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(404, "webhook_not_found")}
    assert client.get("/v1/webhooks", headers=other).json["webhooks"] == []
    assert client.get(here).status_code == 200


@pytest.mark.parametrize("name", ["none", "wh_" + "0" * 26, "wh_" + "é" * 26, "wh_" + ":" * 26])
def test_what_never_was_is_404(client: FlaskClient, name: str):
    assert client.get(f"/v1/webhooks/{name}").status_code == 404


def test_a_jobs_end_and_a_ping_are_delivered_and_listed(
    client: FlaskClient, worker: Any, settings: Settings, loan: dict[str, Any]
):
    with targets() as [target]:
        webhook = add(client, target.url, types=list(TYPES)).json
        job = client.post("/v1/explanations", json=loan).json
        worker.succeed(worker.take())
        ping = client.post(webhook["links"]["ping"])
        assert (ping.status_code, ping.json["status"], ping.json["type"]) == (202, "waiting", "webhook.ping")
        courier = Courier(WebhookStore(worker.redis, settings), settings)
        with _running(courier):
            until(lambda: len(target.seen) == 4)

            def listed() -> list[dict[str, Any]]:
                return list(client.get(webhook["links"]["deliveries"]).json["deliveries"])

            until(lambda: all(each["status"] == "delivered" for each in listed()))
        assert target.signed(webhook["secret"])
        told = {each["type"]: each for each in target.told}
        assert set(told) == {"webhook.ping", *(f"explanation.{state}" for state in ("queued", "running", "succeeded"))}
        assert client.get(told["explanation.succeeded"]["data"]["links"]["result"]).status_code == 200
        assert {each["job"] for each in listed()} == {job["id"], None}
        assert len(client.get(webhook["links"]["deliveries"] + "?limit=1").json["deliveries"]) == 1
        assert client.get(webhook["links"]["deliveries"] + "?limit=0").status_code == 422


def _running(courier: Courier) -> Any:
    import threading
    from contextlib import contextmanager

    @contextmanager
    def run() -> Any:
        thread = threading.Thread(target=courier.run)
        thread.start()
        try:
            yield
        finally:
            courier.stop()
            thread.join()

    return run()
