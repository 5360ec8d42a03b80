"""One batch from claim to stored result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from explainery.contract.errors import ExplaineryError, StoreUnavailable
from explainery.contract.job import JobError
from explainery.settings import Settings
from explainery.store.jobs import Advance, Claim, JobStore
from workers.batch import Batch
from workers.governor import Governor
from workers.models import ModelCache
from workers.registry import Registry
from workers.work import Work

log = structlog.get_logger()

STINT_S = 2.0
"""How long a worker keeps taking in new jobs of one group before other groups get their turn."""
LOOK_S = 0.01
"""How often a working worker looks for more jobs that could join."""
LINGER_S = 0.02
"""How long a worker with nothing in hand goes on looking: a client that has its answer often asks again at once."""
PAUSE_S = 0.002
RETRY_S = 0.2


class Bell(Protocol):
    """What tells workers that a group has work (`explainery.store.bell.Bell`)."""

    def ring(self, group: str) -> None:
        """Ring for a group."""
        ...


class Engine:
    """Works on jobs: claims, answers, publishes. One per process; `drain` is called by one thread at a time."""

    def __init__(
        self, settings: Settings, worker: str, store: JobStore, registry: Registry, models: ModelCache, bell: Bell
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._store = store
        self._registry = registry
        self._models = models
        self._bell = bell
        self._governor = Governor(models.device)
        self._held: dict[str, Claim | Work] = {}
        self._lost: set[str] = set()
        self._asked_to_leave_s: float | None = None
        self.leave: Callable[[], bool] = lambda: False
        """Says when this worker was asked to leave."""

    # --- seen by the heartbeat's thread

    def held(self) -> list[Advance]:
        """Every job this worker holds, and how far it is."""
        return [
            entry.advance() if isinstance(entry, Work) else Advance(entry.spec.id, entry.fence, 0, 1, "model_evaluations")
            for entry in tuple(self._held.values())
        ]

    def lose(self, job_ids: set[str]) -> None:
        """These jobs are no longer ours: they are dropped before the next chunk."""
        self._lost |= job_ids

    # --- the work

    def drain(self, group: str) -> None:
        """Answer a bell: work on the group's jobs until none waits, or it is other groups' turn.

        Whatever breaks, nothing stays in this worker's hands: what it held is failed by name.
        """
        try:
            self._drain(group)
        except StoreUnavailable:
            log.warning("drain_ended", group=group, reason="Redis does not answer; the reaper rings again")
        except Exception:
            log.exception("engine_broke", group=group)
            for entry in tuple(self._held.values()):
                claim = entry.claim if isinstance(entry, Work) else entry
                self._fail(
                    claim, ExplaineryError("The worker failed on this job's batch; its log says more. Submit the job again.")
                )

    def _drain(self, group: str) -> None:
        """Look, work, look again; leave when nothing came for `LINGER_S`. After a stint others have their turn."""
        began = busy_until = time.monotonic()
        batch: Batch | None = None
        look, answered = 0.0, True
        while not self._out_of_grace():
            now = time.monotonic()
            working = batch is not None and bool(batch.works)
            takes_more = now < began + STINT_S and not self.leave()
            if not (working or takes_more):
                break
            if takes_more and (now >= look or not working):
                leaving = not working and (answered or now >= busy_until + LINGER_S)
                batch, claimed = self._take_in(group, batch, answered=answered, staying=not leaving)
                look, answered = now + LOOK_S, False
                if not claimed and not working:
                    if leaving:
                        return
                    time.sleep(PAUSE_S)
                    continue
            if batch is not None and batch.works:
                self._step(batch)
                busy_until = time.monotonic()
        self._bell.ring(group)  # whoever is free goes on; a bell too many harms nothing

    def _out_of_grace(self) -> bool:
        """Whether this worker was asked to leave so long ago that what it holds is better given back."""
        if self._asked_to_leave_s is None and self.leave():
            self._asked_to_leave_s = time.monotonic()
        return self._asked_to_leave_s is not None and time.monotonic() > self._asked_to_leave_s + self._settings.grace_s

    def _take_in(self, group: str, batch: Batch | None, *, answered: bool, staying: bool) -> tuple[Batch | None, int]:
        """Claim jobs that may join the batch, made when there is none; the batch, and how many were claimed.

        `staying`: this worker looks again whatever it finds, so the ledger need not ring for what comes next.
        """
        jobs = self._settings.batch_jobs - (len(batch.works) if batch else 0)
        rows = self._settings.batch_rows - (batch.rows if batch else 0)
        if jobs <= 0 or rows <= 0 or (batch and batch.suspect):
            return batch, 0
        try:
            claims = self._store.claim(group, self._worker, jobs, rows, answered=answered, joining=staying)
        except StoreUnavailable:
            if not batch or not batch.works:
                raise
            return batch, 0
        self._held |= {claim.spec.id: claim for claim in claims}
        for claim in claims:
            batch = self._admit(claim, batch)
        return batch, len(claims)

    def _admit(self, claim: Claim, batch: Batch | None) -> Batch | None:
        try:
            loaded = self._models.get(claim.spec.model)
            batch = batch or Batch(loaded, self._registry, self._governor, self._settings.batch_rows)
            self._held[claim.spec.id] = batch.admit(claim)
        except ExplaineryError as error:
            self._fail(claim, error)
        except Exception:  # a job must not take the worker with it; the log keeps the trace, the client a code
            log.exception("job_broke", job_id=claim.spec.id)
            self._fail(
                claim,
                ExplaineryError("The job could not be prepared because of an error inside the worker; its log says more."),
            )
        return batch

    def _step(self, batch: Batch) -> None:
        """One chunk, with what has to be looked at between chunks."""
        for job_id in self._lost & set(batch.works):
            log.info("job_dropped", job_id=job_id)
            batch.drop(job_id)
            self._held.pop(job_id, None)
        self._lost.clear()
        for work in tuple(batch.works.values()):
            try:
                work.check_deadline(time.time() * 1000)
            except ExplaineryError as error:
                batch.drop(work.id)
                self._fail(work.claim, error)
        finished, failures = batch.step()
        for work in finished:
            self._succeed(work)
        for work, fault in failures:
            self._fail(work.claim, fault)

    def _succeed(self, work: Work) -> None:
        claim = work.claim
        try:
            result = work.result()
        except Exception:  # what a plugin answered does not fit together
            log.exception("result_broke", job_id=work.id)
            self._fail(claim, ExplaineryError("The answer could not be put together; the worker's log says why."))
            return
        written = self._insist(lambda: self._store.succeed(self._worker, work.id, claim.fence, result, work.advance()))
        self._held.pop(work.id, None)
        log.info("job_succeeded" if written else "job_stale", job_id=work.id, request_id=claim.spec.request_id)

    def _fail(self, claim: Claim, error: ExplaineryError) -> None:
        told = JobError(code=error.code, detail=error.detail, retryable=error.retryable)
        written = self._insist(lambda: self._store.fail(self._worker, claim.spec.id, claim.fence, told))
        self._held.pop(claim.spec.id, None)
        what = "job_failed" if written else "job_stale"
        log.warning(what, job_id=claim.spec.id, request_id=claim.spec.request_id, code=error.code)

    def _insist(self, write: Callable[[], bool]) -> bool:
        """Write though Redis may be away: as long as a lease, then the job is somebody else's to bring back."""
        ends = time.monotonic() + self._settings.lease_s * 3
        while True:
            try:
                return write()
            except StoreUnavailable:
                if time.monotonic() > ends:
                    log.exception("result_not_written")
                    return False
                time.sleep(RETRY_S)
