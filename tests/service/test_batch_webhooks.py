"""What webhooks are told of batches: their end, and of the jobs inside nothing, unless they asked for that."""

from __future__ import annotations

import dataclasses
import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from targets import Target, targets, until

from explainery.contract.events import TYPES
from explainery.contract.webhooks import KNOWN_TYPES
from explainery.courier.courier import Courier
from explainery.settings import Settings
from explainery.store.keys import key
from explainery.store.webhooks import WebhookStore
from service.batches.coordinator import Coordinator


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(settings, files=str(tmp_path / "files"), chunk_lines=2, webhook_allowed=("127.0.0.1",))


@pytest.fixture
def coordinator(settings: Settings, serving: Any) -> Iterator[Coordinator]:
    made = Coordinator(settings)
    yield made
    made.stop()
    made.run()


@pytest.fixture
def courier(settings: Settings, worker: Any) -> Iterator[None]:
    import threading

    made = Courier(WebhookStore(worker.redis, settings), settings)
    thread = threading.Thread(target=made.run)
    thread.start()
    yield
    made.stop()
    thread.join()


def add(client: FlaskClient, target: Target, *types: str, **more: Any) -> dict[str, Any]:
    return dict(client.post("/v1/webhooks", json={"url": target.url, **({"types": types} if types else {}), **more}).json)


def run_batch(client: FlaskClient, coordinator: Coordinator, lines: int = 12, **changes: Any) -> dict[str, Any]:
    body = {"model": "loan", "method": "kernel_shap", "instances": [[1.0, 2.0, 0.0, 3.0]]}
    asked = [{"custom_id": f"r{n}", "method": "POST", "url": "/v1/explanations", "body": body} | changes for n in range(lines)]
    text = b"".join(json.dumps(each).encode() + b"\n" for each in asked)
    file = client.post("/v1/files", data={"purpose": "batch", "file": (io.BytesIO(text), "in.jsonl")}).json["id"]
    batch = client.post("/v1/batches", json={"input_file_id": file, "endpoint": "/v1/explanations"}).json["id"]
    deadline = time.monotonic() + 20
    while (found := client.get(f"/v1/batches/{batch}").json)["status"] not in ("completed", "failed"):
        assert time.monotonic() < deadline
        coordinator.turn()
    return dict(found)


def kinds(target: Target) -> Counter[str]:
    return Counter(each["type"] for each in target.told)


def test_the_batch_s_end_is_told_and_its_jobs_are_not(
    client: FlaskClient, coordinator: Coordinator, courier: None, worker: Any, loan: dict[str, Any]
) -> None:
    with targets(2) as [target, curious]:
        ends, everything = add(client, target), add(client, curious, *KNOWN_TYPES, batch_jobs=True)
        assert (ends["batch_jobs"], everything["batch_jobs"]) == (False, True)
        batch = run_batch(client, coordinator)
        alone = client.post("/v1/explanations", json=loan, headers={"Prefer": "wait=10"}).json
        until(lambda: len(target.told) == 2)
        until(lambda: kinds(curious)["explanation.forgotten"] == 6)
        until(lambda: worker.redis.xlen(key("outbox")) == 0)
        assert kinds(target) == {"batch.completed": 1, "explanation.succeeded": 1}
        told = {each["type"]: each for each in target.told}
        assert told["explanation.succeeded"]["data"]["id"] == alone["id"]
        about = told["batch.completed"]["data"]
        assert (about["id"], about["status"]) == (batch["id"], "completed")
        assert client.get(about["links"]["self"]).json["id"] == batch["id"]
        assert client.get(about["links"]["summary"]).status_code == 200
        headers = next(headers for headers, body in target.seen if b"batch.completed" in body)
        assert (headers["ce-source"], headers["ce-subject"]) == ("/v1/batches", batch["id"])
        assert target.signed(ends["secret"])
        listed = client.get(ends["links"]["deliveries"]).json["deliveries"]
        assert {(each["job"], each["batch"]) for each in listed} == {(alone["id"], None), (None, batch["id"])}
        inside = kinds(curious)
        assert inside["explanation.succeeded"] == 6 + 1, "six jobs of two lines each, and the one alone"
        assert inside["batch.completed"] == 1


def test_where_nobody_asked_nothing_is_even_written_down(client: FlaskClient, coordinator: Coordinator, worker: Any) -> None:
    with targets() as [target]:
        add(client, target, *TYPES)
        batch = run_batch(client, coordinator)
        entries = worker.redis.xrange(key("outbox"))  # nobody has fetched them
        assert [fields[b"job"].decode() for _, fields in entries] == [batch["id"]]


def test_who_is_removed_is_told_nothing_any_more(client: FlaskClient, coordinator: Coordinator, worker: Any) -> None:
    with targets() as [target]:
        webhook = add(client, target, batch_jobs=True)
        client.delete(webhook["links"]["self"])
        run_batch(client, coordinator)
        assert not worker.redis.exists(key("outbox"))
        assert not worker.redis.exists(key("inner_hooks", "default"))


def test_a_batch_that_fails_is_told_too(client: FlaskClient, coordinator: Coordinator, courier: None) -> None:
    with targets() as [target]:
        add(client, target, "batch.failed")
        batch = run_batch(client, coordinator, url="/v1/nothing")
        until(lambda: target.told)
        assert (target.told[0]["type"], target.told[0]["data"]["id"]) == ("batch.failed", batch["id"])
