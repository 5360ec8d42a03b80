"""Trials ahead of any job: a thread that tries what was found, one model after another, while no job waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog

from explainery.contract.errors import ExplaineryError
from workers.repository import Found

log = structlog.get_logger()

AGAIN_S = 60.0
"""When a trial that could not be held is attempted again without anybody asking for the model."""


class Ahead:
    """A queue of models and its thread. `try_one` is called in that thread."""

    def __init__(self, try_one: Callable[[Found], None]) -> None:
        self._try_one = try_one
        self._waiting: tuple[Found, ...] = ()
        self._not_before: dict[str, float] = {}
        self._wanted = 0
        self._leaving = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="trials", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other trial, and wait for the end of the one that goes on."""
        with self._change:
            self._leaving = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def wait_for(self, models: Iterable[Found]) -> None:
        """These are the models that have no verdict now."""
        with self._change:
            self._waiting = tuple(models)
            self._not_before = {found.digest: self._not_before.get(found.digest, 0.0) for found in self._waiting}
            self._change.notify_all()

    @contextmanager
    def after_me(self) -> Iterator[None]:
        """While somebody waits for a model, no trial that nobody waits for is begun."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._change:
            self._wanted += more
            self._change.notify_all()

    def _run(self) -> None:
        while (found := self._next()) is not None:
            try:
                self._try_one(found)
            except ExplaineryError as error:
                log.warning("model_not_tried", model=found.name, version=found.version, code=error.code)
            except Exception:  # the thread must outlive any fault; whoever asks for the model tries again
                log.exception("trial_broke", model=found.name, version=found.version)

    def _next(self) -> Found | None:
        """The next model to try; None when this worker leaves."""
        with self._change:
            while not self._leaving:
                now = time.monotonic()
                ready = [found for found in self._waiting if self._not_before.get(found.digest, 0.0) <= now]
                if ready and not self._wanted:
                    self._waiting = tuple(found for found in self._waiting if found is not ready[0])
                    self._not_before[ready[0].digest] = now + AGAIN_S
                    return ready[0]
                self._change.wait()
        return None
