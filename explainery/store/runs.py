"""What past jobs took, per model, device, method and shape of the rows: workers note it, the API learns from it.

Each list holds the last runs of one kind. A worker sends what it has noted a few times a second, not at each job's end.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.estimate import Run
from explainery.contract.job import DEFAULT_TENANT, ModelRef, group_of
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

KEPT = 48
"""Runs of one kind that are kept."""
TTL_S = 7 * 86400
EVERY_S = 0.25
"""How often a busy worker sends its notes."""
MOST_NOTES = 512
FRESH_S = 1.0
"""How long the API believes what it has read."""
MOST_READ = 256


@dataclass(frozen=True)
class Kind:
    """What runs are told apart by: a tenant learns from its own alone. `shape`: of the rows, as text."""

    model: ModelRef
    device: str
    method: str
    shape: str
    tenant: str = DEFAULT_TENANT

    @property
    def names(self) -> tuple[str, str]:
        """The lists it belongs to: of this very kind, and of the model on that device."""
        model = f"{self.tenant}:{self.model.digest.removeprefix('sha256:')[:32]}:{self.device}"
        return f"{model}:{self.method}:{hashlib.sha256(self.shape.encode()).hexdigest()[:16]}", model


@dataclass(frozen=True)
class Past:
    """What is known before a job runs. `of_method`, `of_model`: the last runs, the newest first.

    `queued_s`: estimated seconds of compute that wait, by priority. `load_s`: what loading the model took; 0: a worker has it.
    """

    of_method: tuple[Run, ...] = ()
    of_model: tuple[Run, ...] = ()
    queued_s: dict[str, float] | None = None
    workers: int = 0
    load_s: float = 0.0

    def wait_s(self, priority: str) -> float:
        """Seconds until a job of this priority begins, if those who wait are shared out evenly."""
        queued = self.queued_s or {}
        before = queued.get("interactive", 0.0) + (queued.get("batch", 0.0) if priority == "batch" else 0.0)
        return before / max(1, self.workers)


class RunStore:
    """Past runs. Raises StoreUnavailable when Redis does not answer. Threads of the API may share one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._notes: list[tuple[Kind, Run]] = []
        self._sent_at = 0.0
        self._read: OrderedDict[tuple[Kind, bool], tuple[float, Past]] = OrderedDict()

    def note(self, kind: Kind, run: Run) -> None:
        """Note a run; it is sent with the next ones."""
        self._notes.append((kind, run))
        if len(self._notes) > MOST_NOTES:
            del self._notes[0]

    def due(self) -> bool:
        """Whether notes have waited long enough."""
        return bool(self._notes) and time.monotonic() - self._sent_at > EVERY_S

    @store_errors()
    def send(self) -> None:
        """Send what was noted. What cannot be sent is forgotten: it was only to learn from."""
        notes, self._notes, self._sent_at = self._notes, [], time.monotonic()
        if not notes:
            return
        with self._redis.pipeline(transaction=False) as pipe:
            lists: dict[str, list[str]] = {}
            for kind, run in notes:
                for name in kind.names:
                    lists.setdefault(key("runs", name), []).append(_written(run))
            for name, runs in lists.items():
                pipe.lpush(name, *runs)
                pipe.ltrim(name, 0, KEPT - 1)
                pipe.expire(name, TTL_S)
            pipe.execute()

    @store_errors()
    def past(self, kind: Kind, *, own: bool = False) -> Past:
        """What is known of a kind of job; up to a second old. `own`: of what waits, the tenant is told of its own alone."""
        known = self._read.get((kind, own))
        if known is None or time.monotonic() - known[0] > FRESH_S:
            known = self._read[kind, own] = (time.monotonic(), self._look(kind, own))
            while len(self._read) > MOST_READ:
                self._read.popitem(last=False)
        return known[1]

    def _look(self, kind: Kind, own: bool) -> Past:
        group = group_of(kind.model)
        with self._redis.pipeline(transaction=False) as pipe:
            for name in kind.names:
                pipe.lrange(key("runs", name), 0, KEPT - 1)
            pipe.hgetall(key("queued_us"))
            pipe.zcard(key("workers"))
            pipe.hget(key("loads"), group)
            pipe.exists(key("resident", group))
            pipe.hget(key("open_us"), kind.tenant)
            of_method, of_model, queued, workers, load_ms, resident, mine = pipe.execute()
        if own:
            queued = {b"interactive": mine or 0}
        return Past(
            tuple(_runs(of_method)),
            tuple(_runs(of_model)),
            {name.decode(): int(us) / 1e6 for name, us in queued.items()},
            int(workers),
            0.0 if resident or load_ms is None else int(load_ms) / 1000,
        )


def _written(run: Run) -> str:
    most = "" if run.most is None else run.most
    return f"{run.values} {run.gradients} {run.rows} {run.seconds:.7g} {most} {run.cold:d}"


def _runs(texts: Any) -> Iterator[Run]:
    """Runs as they were written; what a newer worker writes in another form is left out."""
    for text in texts:
        parts = text.decode().split(" ")
        if len(parts) == 6:
            values, gradients, rows, seconds, most, cold = parts
            yield Run(
                values=int(values),
                gradients=int(gradients),
                rows=int(rows),
                seconds=float(seconds),
                most=int(most) if most else None,
                cold=cold == "1",
            )
