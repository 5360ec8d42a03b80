"""A webhook's secret is rotated: the new one is shown once, and for a while both sign what is delivered."""

from __future__ import annotations

import base64
import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask.testing import FlaskClient
from targets import Target, targets, until

from explainery.contract.signatures import signature
from explainery.courier.courier import Courier
from explainery.settings import Settings
from explainery.store.keys import key
from explainery.store.webhooks import WebhookStore
from service.tenant import HEADER as TENANT


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, webhook_allowed=("127.0.0.1",))


@contextmanager
def couriered(worker: Any, settings: Settings) -> Iterator[None]:
    courier = Courier(WebhookStore(worker.redis, settings), settings)
    thread = threading.Thread(target=courier.run)
    thread.start()
    try:
        yield
    finally:
        courier.stop()
        thread.join()


def add(client: FlaskClient, url: str = "https://hooks.example.com/", **more: Any) -> dict[str, Any]:
    return dict(client.post("/v1/webhooks", json={"url": url, **more}).json)


def rotated(client: FlaskClient, webhook: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = client.post(webhook["links"]["rotate_secret"], json=body)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
    return dict(answer.json)


def signed_by(client: FlaskClient, webhook: dict[str, Any], target: Target) -> list[str]:
    """The signatures of a ping that is sent now."""
    before = len(target.seen)
    client.post(webhook["links"]["ping"])
    until(lambda: len(target.seen) > before)
    return target.seen[-1][0]["webhook-signature"].split(" ")


def expected(target: Target, *secrets: str) -> list[str]:
    headers, body = target.seen[-1]
    return [signature(each, headers["webhook-id"], int(headers["webhook-timestamp"]), body) for each in secrets]


def test_both_sign_until_the_grace_is_over(client: FlaskClient, worker: Any, settings: Settings) -> None:
    with targets() as [target], couriered(worker, settings):
        webhook = add(client, target.url)
        assert signed_by(client, webhook, target) == expected(target, webhook["secret"])
        new = rotated(client, webhook)
        assert new["secret"] not in (webhook["secret"], "")
        assert signed_by(client, webhook, target) == expected(target, new["secret"], webhook["secret"])
        shown = client.get(webhook["links"]["self"]).json
        assert (shown["rotated_at"], shown["old_secret_until"]) == (new["rotated_at"], new["old_secret_until"])
        assert shown["old_secret_until"] > shown["rotated_at"] > shown["created_at"]
        hook = key("hook", webhook["id"])
        worker.redis.hset(hook, "older", f"{webhook['secret']}|1")  # its time is over
        assert signed_by(client, webhook, target) == expected(target, new["secret"])
        assert client.get(webhook["links"]["self"]).json["old_secret_until"] is None
        assert not any(webhook["secret"].encode() in value for value in worker.redis.hgetall(hook).values())


def test_without_grace_the_old_one_is_gone_at_once(client: FlaskClient, worker: Any, settings: Settings) -> None:
    with targets() as [target], couriered(worker, settings):
        webhook = add(client, target.url)
        leaked = rotated(client, webhook)
        new = rotated(client, webhook, grace_s=0)
        assert new["old_secret_until"] is None
        assert signed_by(client, webhook, target) == expected(target, new["secret"])
        assert leaked["secret"] != new["secret"]


def test_an_answer_that_was_lost_can_be_asked_for_again(client: FlaskClient, worker: Any, settings: Settings) -> None:
    with targets() as [target], couriered(worker, settings):
        webhook = add(client, target.url)
        secrets = [webhook["secret"], *(rotated(client, webhook)["secret"] for _ in range(6))]
        assert signed_by(client, webhook, target) == expected(target, *secrets[:1:-1]), "the newest and four before it"


def test_a_pair_of_keys_is_rotated_too(client: FlaskClient, worker: Any, settings: Settings) -> None:
    with targets() as [target], couriered(worker, settings):
        webhook = add(client, target.url, signing="ed25519")
        new = rotated(client, webhook, grace_s=60)
        assert "secret" not in new
        told = signed_by(client, webhook, target)
        headers, body = target.seen[-1]
        message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        for each, known in zip(told, (new["public_key"], webhook["public_key"]), strict=True):
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(known.removeprefix("whpk_")))
            public.verify(base64.b64decode(each.removeprefix("v1a,")), message)


@pytest.mark.parametrize("body", [{"grace_s": -1}, {"grace_s": 30 * 86400 + 1}, {"grace_s": "1d"}, {"secret": "mine"}])
def test_what_is_no_rotation_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    webhook = add(client)
    answer = client.post(webhook["links"]["rotate_secret"], json=body)
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (422, next(iter(body)))
    assert client.get(webhook["links"]["self"]).json["rotated_at"] is None


def test_another_tenants_is_404_and_no_secret_is_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    webhook = add(client)
    answer = client.post(webhook["links"]["rotate_secret"], json={}, headers={TENANT: "other"})
    assert (answer.status_code, answer.json["code"]) == (404, "webhook_not_found")
    new = rotated(client, webhook)["secret"]
    assert new not in client.get("/v1/webhooks").text
    assert new not in caplog.text
    assert webhook["secret"] not in caplog.text
