"""The heartbeat: a thread that renews leases, reports progress, publishes the catalogue and reaps what others left behind.

It beats often, so that a canceled job is dropped and progress is seen soon; the rarer duties come round several times a lease.
It is also the watchdog: a call of a model that hangs is ended with the process, and a beat that cannot happen, because such a
call holds the interpreter's lock, ends the process too.
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from explainery.contract.catalogue import Offer
from explainery.contract.errors import StoreUnavailable, TimeLimitExceeded
from explainery.contract.job import JobError
from explainery.settings import Settings
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.jobs import JobStore
from workers.engine import Engine
from workers.watchdog import Ending, judge, wanted

log = structlog.get_logger()

BEAT_S = 0.5
SWEEP_S = 600.0
HUNG = 70
"""How the process ends when a call hangs (EX_SOFTWARE)."""


@dataclass(frozen=True)
class Ledger:
    """What a heartbeat writes to."""

    jobs: JobStore
    catalogue: CatalogueStore
    bell: Bell


class Heartbeat:
    """Keeps one worker alive in the ledger. `info`, `offer` and `groups` (whose model is in memory) are asked at each beat."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        ledger: Ledger,
        info: Callable[[], WorkerInfo],
        offer: Callable[[], Offer],
        groups: Callable[[], list[str]],
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._ledger = ledger
        self._info = info
        self._offer = offer
        self._groups = groups
        self._end_process = end_process
        self._worker = info().id
        self._sweep_at = time.monotonic() + SWEEP_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Publish once, so that the worker is seen before it takes work, and go on in the background."""
        self._publish()
        self._arm()  # here, not in the thread: a job may hang before its first beat
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and wait for the last beat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        duty_s = 0.0
        while not self._stop.wait(min(BEAT_S, self._settings.heartbeat_s)):
            self._arm()
            try:
                self._renew()
                if time.monotonic() >= duty_s:
                    duty_s = time.monotonic() + self._settings.heartbeat_s
                    self._duties()
            except StoreUnavailable:
                log.warning("heartbeat_missed", reason="Redis does not answer")
            except Exception:  # the thread must outlive any fault: without it every lease of this worker is lost
                log.exception("heartbeat_broke")
            self._watch()

    def _arm(self) -> None:
        """From now on a thread of C, which needs no lock of the interpreter, ends the process when no beat comes in time."""
        faulthandler.dump_traceback_later(self._silence_s, exit=True)

    @property
    def _silence_s(self) -> float:
        """How long no beat can happen before the process is ended: a job's limit, but no less than some leases."""
        return max(self._settings.job_limit_s, 3 * self._settings.lease_s)

    def _renew(self) -> None:
        held = self._engine.held()
        if held and (lost := self._ledger.jobs.renew(self._worker, held)):
            self._engine.hands.lose(lost)
        if held:
            self._ledger.jobs.beside.publish(self._engine.hands.partials())

    def _publish(self) -> None:
        self._ledger.catalogue.publish(self._info(), self._offer(), self._groups())

    def _duties(self) -> None:
        self._publish()
        reaped = self._ledger.jobs.reap(backlog=self._ledger.bell.backlog())
        for whom in reaped.ring:
            self._ledger.bell.ring(whom)
        if reaped.requeued or reaped.lost or reaped.expired:
            log.info("reaped", requeued=reaped.requeued, lost=reaped.lost, expired=reaped.expired)
        if time.monotonic() > self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_S
            if swept := self._ledger.jobs.sweep():
                log.info("payloads_swept", count=swept)

    def _watch(self) -> None:
        hands = self._engine.hands
        call, held = hands.call, hands.held()
        disowned = frozenset(job_id for job_id in held if hands.disowned(job_id))
        if call is not None and call.abandon is not None and not wanted(call, held, disowned):
            call.abandon()
        ending = judge(call, held, disowned, time.monotonic(), self._settings.job_limit_s)
        if ending is not None and hands.call is call:
            self._end(ending)

    def _end(self, ending: Ending) -> None:
        """End this process, whose call hangs: fail the job whose fault it is, give the others back, and go."""
        log.error("call_hangs", reason=ending.reason, job_id=ending.failed, suspects=len(ending.suspects))
        held = self._engine.hands.held()
        try:
            if ending.failed in held:
                claim = held[ending.failed].claim
                self._ledger.jobs.fail(self._worker, claim.spec.id, claim.fence, _too_long(self._settings.job_limit_s))
            calls = self._ledger.jobs.release(self._worker, lost=False, manner="hung in a call", suspects=ending.suspects)
            self._ledger.catalogue.withdraw(self._worker)
            for whom in calls:
                self._ledger.bell.ring(whom)
        except StoreUnavailable:
            log.warning("left_without_goodbye", reason="Redis does not answer; the leases will run out")
        self._end_process(HUNG)


def _too_long(limit_s: float) -> JobError:
    error = TimeLimitExceeded(
        f"The job ran longer than the {limit_s:g} s a job may run; ask with fewer rows or a smaller budget, or check the model."
    )
    return JobError(code=error.code, detail=error.detail, retryable=error.retryable)
