"""What the tests of faults read in Redis itself, past the API, and which processes are the stack's own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from stacks import Stack, until

from explainery.store.keys import PREFIX, key


class Ledger:
    """Read-only eyes on the ledger. What it was asked while Redis is away it answers as it last knew."""

    def __init__(self, port: int) -> None:
        self._redis = Redis(port=port, socket_timeout=2, socket_connect_timeout=2)
        self._counts: dict[str, int] = {}

    @classmethod
    def of(cls, stack: Stack) -> Ledger:
        """Of a stack with an embedded Redis."""
        return cls(int((stack.home / "redis" / "port").read_text()))

    def close(self) -> None:
        self._redis.close()

    def answers(self) -> bool:
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False

    def count(self, what: str) -> int:
        """How often something happened."""
        try:
            said = self._redis.hgetall(key("counts"))
        except RedisError:
            return self._counts.get(what, 0)
        self._counts = {name.decode(): int(number) for name, number in said.items()}
        return self._counts.get(what, 0)

    def jobs(self) -> int:
        """How many jobs there are."""
        return int(self._redis.zcard(key("jobs")))

    def held_by(self, pid: int) -> list[str]:
        """Ids of the jobs that the worker of this pid holds."""
        try:
            for name in self._redis.scan_iter(f"{PREFIX}worker:*", count=1000):
                said = self._redis.get(name)
                if said and json.loads(said)["worker"]["pid"] == pid:
                    worker = json.loads(said)["worker"]["id"]
                    return [job_id.decode() for job_id in self._redis.smembers(key("held", worker))]
        except RedisError:
            pass
        return []

    def done(self, job_id: str) -> int:
        """Evaluations that were made for a running job, as its worker last said."""
        try:
            return int(self._redis.hget(key("job", job_id), "done") or 0)
        except RedisError:
            return 0

    def tries(self, job_ids: list[str]) -> dict[str, tuple[str, int]]:
        """State and attempts by id."""
        try:
            said = {job_id: self._redis.hmget(key("job", job_id), "state", "attempts") for job_id in job_ids}
        except RedisError:
            return {}
        return {job_id: (state.decode(), int(attempts)) for job_id, (state, attempts) in said.items() if state}


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def running_child(stack: Stack, name: str) -> int | None:
    """The pid of a child of this stack and of nobody else; None while it does not run."""
    try:
        pid = stack.pid(name)
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return None
    return pid if alive(pid) and parent == stack._process.pid else None


def child(stack: Stack, name: str, within_s: float = 90) -> int:
    """The pid of a child, once it runs. What dies often is started later each time."""
    return until(lambda: running_child(stack, name), within_s)


def kill(stack: Stack, name: str) -> int:
    """Kill a running child and see it dead; give back its pid."""
    end(pid := child(stack, name))
    return pid


def end(pid: int) -> None:
    """Kill a process and see it dead."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
