"""Lets many request threads wait for a job to change, over one subscription."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from explainery.contract.job import JobState
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

LISTEN_S = 1.0
"""How long one blocking read blocks: less than the socket's timeout, or silence would look like a broken connection."""
LOOK_S = 1.0
"""How often a waiter looks at the record by itself: what was published while the connection was broken is not said again."""
RETRY_S = 0.1

log = logging.getLogger(__name__)


ENDED = frozenset({"", *(state.value for state in JobState if state.ended)})
"""States after which nothing more is told; none at all when the job was forgotten."""


def _nothing() -> None:
    """Done at every look, where nothing else is."""


@dataclass(eq=False)
class News:
    """What is told of one job from now on; with `of_its_end`, only that it ended."""

    of_its_end: bool
    event: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout_s: float) -> None:
        """Block until there is news, time is up, or it is time to look by oneself; then what comes is new again."""
        self.event.wait(min(timeout_s, LOOK_S))
        self.event.clear()


class Watcher:
    """One per process. Its thread and its connection come into being with the first `wait`, so it may be made before a fork."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._waiters: dict[str, set[News]] = {}
        self._listening = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def wait(self, job_id: str, seen_revision: int, timeout_s: float, each_look: Callable[[], None] = _nothing) -> bool:
        """Block until the job's record is not at `seen_revision` any more, or time is up; say whether it has changed.

        A job that is gone has changed. `each_look` is called at every look, once a second at least, and may end the wait by
        raising something. Raises StoreUnavailable when the record cannot be read.
        """
        deadline = time.monotonic() + timeout_s
        with self.news(job_id) as news:
            while not self._closed.is_set():
                each_look()
                if self._revision(job_id) != seen_revision:
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                news.wait(left)
        return False

    @contextmanager
    def news(self, job_id: str, *, of_its_end: bool = False) -> Iterator[News]:
        """Listen for a job, which need not exist yet: what happens after this began is not missed while Redis can be heard."""
        self._start()
        news = News(of_its_end)
        with self._lock:
            self._waiters.setdefault(job_id, set()).add(news)
        try:
            yield news
        finally:
            with self._lock:
                self._waiters[job_id].discard(news)
                if not self._waiters[job_id]:
                    del self._waiters[job_id]

    def close(self) -> None:
        """Stop listening; whoever waits returns."""
        self._closed.set()
        self._wake_all()
        if self._thread is not None:
            self._thread.join()

    @store_errors()
    def _revision(self, job_id: str) -> int | None:
        revision = self._redis.hget(key("job", job_id), "revision")
        return None if revision is None else int(revision)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="watcher", daemon=True)
                self._thread.start()
        self._listening.wait(LOOK_S)  # no longer: without ears one still looks

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._subscription()
            except (RedisError, OSError) as error:
                self._listening.clear()
                log.warning("watcher_disconnected: %s; connecting again", type(error).__name__)
                self._closed.wait(RETRY_S)

    def _subscription(self) -> None:
        with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            pubsub.subscribe(key("changes"))
            while not self._closed.is_set():
                message = pubsub.get_message(timeout=LISTEN_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":  # also after a reconnection: something may have been missed
                    self._listening.set()
                    self._wake_all()
                elif message["type"] == "message":
                    self._wake(*message["data"].decode().partition(" ")[::2])

    def _wake(self, job_id: str, state: str) -> None:
        with self._lock:
            for news in self._waiters.get(job_id, ()):
                if state in ENDED or not news.of_its_end:
                    news.event.set()

    def _wake_all(self) -> None:
        with self._lock:
            for waiters in self._waiters.values():
                for news in waiters:
                    news.event.set()
