"""The heartbeat: a thread that renews leases, reports progress, publishes the catalogue and reaps what others left behind.

It beats often, so that a canceled job is dropped and progress is seen soon; the rarer duties come round several times a lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from explainery.contract.catalogue import Offer
from explainery.contract.errors import StoreUnavailable
from explainery.settings import Settings
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.jobs import JobStore
from workers.engine import Engine

log = structlog.get_logger()

BEAT_S = 0.5


class Heartbeat:
    """Keeps one worker alive in the ledger. `info` and `offer` are asked at each publication."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        store: JobStore,
        catalogue: CatalogueStore,
        bell: Bell,
        info: Callable[[], WorkerInfo],
        offer: Callable[[], Offer],
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._store = store
        self._catalogue = catalogue
        self._bell = bell
        self._info = info
        self._offer = offer
        self._worker = info().id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Publish once, so that the worker is seen before it takes work, and go on in the background."""
        self._catalogue.publish(self._info(), self._offer())
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and wait for the last beat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        duty_s = 0.0
        while not self._stop.wait(min(BEAT_S, self._settings.heartbeat_s)):
            try:
                self._renew()
                if time.monotonic() >= duty_s:
                    duty_s = time.monotonic() + self._settings.heartbeat_s
                    self._duties()
            except StoreUnavailable:
                log.warning("heartbeat_missed", reason="Redis does not answer")
            except Exception:  # the thread must outlive any fault: without it every lease of this worker is lost
                log.exception("heartbeat_broke")

    def _renew(self) -> None:
        held = self._engine.held()
        if held and (lost := self._store.renew(self._worker, held)):
            self._engine.lose(lost)

    def _duties(self) -> None:
        self._catalogue.publish(self._info(), self._offer())
        reaped = self._store.reap(backlog=self._bell.backlog())
        for group in reaped.ring:
            self._bell.ring(group)
        if reaped.requeued or reaped.lost or reaped.expired:
            log.info("reaped", requeued=reaped.requeued, lost=reaped.lost, expired=reaped.expired)
