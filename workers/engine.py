"""One batch from claim to stored result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from explainery.contract.errors import ExplaineryError, StoreUnavailable
from explainery.contract.job import JobError
from explainery.settings import Settings
from explainery.store.bell import ANYBODY
from explainery.store.jobs import Advance, Claim, JobStore, Limits, Sizes
from workers.batch import Batch
from workers.governor import Governor
from workers.hands import Hands
from workers.models import ModelCache
from workers.partial import partial_of
from workers.past_runs import PastRuns
from workers.registry import Registry
from workers.work import Work

log = structlog.get_logger()

STINT_S = 2.0
"""How long a worker keeps taking in new jobs of one group before it is another group's turn, and how many estimated seconds
of compute it takes in hand at once."""
SMALL_S = 0.25
"""Estimated compute of what may always join."""
SHIFT_S = 10.0
"""How long a worker goes from group to group before it lets Celery look at its own messages."""
LOOK_S = 0.01
"""How often a working worker looks for more jobs that could join."""
LINGER_S = 0.02
"""How long a worker with nothing in hand goes on looking: a client that has its answer often asks again at once."""
PAUSE_S = 0.002
RETRY_S = 0.2


class Bell(Protocol):
    """What wakes workers (`explainery.store.bell.Bell`)."""

    def ring(self, whom: str | None) -> None:
        """Ring for a worker, for anybody, or (None) for nobody."""
        ...


class Engine:
    """Works on jobs: claims, answers, publishes. One per process; `drain` is called by one thread at a time."""

    def __init__(
        self,
        settings: Settings,
        worker: str,
        store: JobStore,
        registry: Registry,
        models: ModelCache,
        bell: Bell,
        runs: PastRuns | None = None,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._store = store
        self._registry = registry
        self._models = models
        self._bell = bell
        self._runs = runs
        self._governor = Governor(models.device)
        self.hands = Hands()
        self._asked_to_leave_s: float | None = None
        self.leave: Callable[[], bool] = lambda: False
        """Says when this worker was asked to leave."""
        self.leave_at_once: Callable[[], bool] = lambda: False
        """Says when it was asked not to wait for its grace."""

    def held(self) -> list[Advance]:
        """Every job this worker holds, and how far it is. Called by the heartbeat's thread."""
        return self.hands.advances()

    def drain(self, whom: str) -> None:
        """Answer a bell: work on whatever waits, until nothing does that is this worker's to do.

        Whatever breaks, nothing stays in this worker's hands: what it held is failed by name.
        """
        try:
            self._drain(whom)
        except StoreUnavailable:
            log.warning("drain_ended", reason="Redis does not answer; the reaper rings again")
        except Exception:
            log.exception("engine_broke")
            for claim in self.hands.claims():
                self._fail(
                    claim, ExplaineryError("The worker failed on this job's batch; its log says more. Submit the job again.")
                )

    def _drain(self, whom: str) -> None:
        """Look, work, look again; sleep when nothing came for `LINGER_S`."""
        ends = time.monotonic() + SHIFT_S
        busy_until, answered = time.monotonic(), whom
        while True:
            if self.leave() or time.monotonic() > ends:
                self._bell.ring(ANYBODY)  # whoever is free goes on; a bell too many harms nothing
                return
            sleeping = not answered and time.monotonic() >= busy_until + LINGER_S
            batch = self._next_batch(answered, joining=not (answered or sleeping))
            answered = ""
            if batch is not None:
                self._work(*batch)
                batch = None  # it holds its model, which the next may need the memory of
                busy_until = time.monotonic()
            elif sleeping:
                if self._runs is not None:
                    self._runs.send()
                return
            else:
                time.sleep(PAUSE_S)

    def _next_batch(self, answered: str, *, joining: bool) -> tuple[str, Batch | None] | None:
        """Claim jobs of the group whose turn it is; None when none waits for this worker."""
        limits = Limits(self._settings.batch_jobs, self._settings.batch_rows, STINT_S)
        claimed = self._store.claim(self._worker, limits, answered=answered, joining=joining)
        if claimed.group is None or not claimed.claims:
            return None
        return claimed.group, self._take_in(claimed.claims, None)

    def _work(self, group: str, batch: Batch | None) -> None:
        """Work on a batch until it is done; meanwhile more jobs of its group join, after a stint only while no others wait."""
        began, look = time.monotonic(), 0.0
        while batch is not None and not self._out_of_grace():
            now = time.monotonic()
            if (now >= look or not batch.works) and not self.leave():
                batch, look = self._join(group, batch, long=now > began + STINT_S), now + LOOK_S
            if not batch.works:
                return
            self._step(batch)

    def _join(self, group: str, batch: Batch, *, long: bool) -> Batch:
        """Claim jobs of the group that fit beside those in hand; small ones do beside the largest."""
        room = Limits(
            self._settings.batch_jobs - len(batch.works),
            self._settings.batch_rows - batch.rows,
            max(SMALL_S, STINT_S - batch.estimated_s),
        )
        if room.jobs <= 0 or room.rows <= 0 or batch.suspect:
            return batch
        try:
            claims = self._store.claim(self._worker, room, group=group, joining=True, long=long).claims
        except StoreUnavailable:
            return batch
        return self._take_in(claims, batch) or batch

    def _out_of_grace(self) -> bool:
        """Whether this worker was asked to leave at once, or so long ago that what it holds is better given back."""
        if self.leave_at_once():
            return True
        if self._asked_to_leave_s is None and self.leave():
            self._asked_to_leave_s = time.monotonic()
        return self._asked_to_leave_s is not None and time.monotonic() > self._asked_to_leave_s + self._settings.grace_s

    def _take_in(self, claims: list[Claim], batch: Batch | None) -> Batch | None:
        for claim in claims:
            self.hands.take(claim)
        for claim in claims:
            batch = self._admit(claim, batch)
        return batch

    def _admit(self, claim: Claim, batch: Batch | None) -> Batch | None:
        try:
            with self.hands.busy([claim.spec.id], "load"):
                self._note(claim, "load")
                loaded = self._models.get(claim.spec.model)
                batch = batch or Batch(loaded, self._registry, self._governor, self._settings.batch_rows)
                self.hands.begin(batch.admit(self._store.unshelved(claim)))
        except ExplaineryError as error:
            self._fail(claim, error)
        except Exception:  # a job must not take the worker with it; the log keeps the trace, the client a code
            log.exception("job_broke", job_id=claim.spec.id)
            self._fail(
                claim,
                ExplaineryError("The job could not be prepared because of an error inside the worker; its log says more."),
            )
        return batch

    def _note(self, claim: Claim, what: str) -> None:
        """Say beforehand what is about to be done with a job that workers have died of."""
        if claim.losses:
            self._store.note(claim.spec.id, claim.fence, what)

    def _step(self, batch: Batch) -> None:
        """One chunk, with what has to be looked at between chunks."""
        for job_id in self.hands.lost(batch.works):
            log.info("job_dropped", job_id=job_id)
            batch.drop(job_id)
        for work in tuple(batch.works.values()):
            self._hasten(batch, work)
            try:
                work.check_time(time.time() * 1000, self._settings.job_limit_s)
            except ExplaineryError as error:
                batch.drop(work.id)
                self._fail(work.claim, error)
        batch.plan()
        with self.hands.busy(batch.planned_jobs, batch.planned_text, batch.abandon):
            if batch.suspect:
                for work in batch.works.values():
                    self._note(work.claim, batch.planned_text)
            finished, failures = batch.step()
        for work in finished:
            self._succeed(work)
        for work, fault in failures:
            self._fail(work.claim, fault)

    def _hasten(self, batch: Batch, work: Work) -> None:
        """Publish a running estimate when it is time for one, and end a job whose deadline is near with what is known."""
        now_s = time.time()
        try:
            if work.pace.hurries(now_s):
                work.pace.tried(now_s)
                batch.end_early(work.id, "Its deadline ended it.")
            elif work.pace.is_due(now_s) and work.memories is not None:
                try:
                    work.partial = partial_of(batch, work)
                finally:
                    work.pace.published(now_s, time.time())
        except ExplaineryError as error:
            log.info("no_estimate", job_id=work.id, code=error.code)
        except Exception:  # an estimate on the way is no reason to fail
            log.exception("estimate_broke", job_id=work.id)

    def _succeed(self, work: Work) -> None:
        claim = work.claim
        try:
            result = work.result()
            self._keep_answers(work)
        except Exception:  # what a plugin answered does not fit together
            log.exception("result_broke", job_id=work.id)
            self._fail(claim, ExplaineryError("The answer could not be put together; the worker's log says why."))
            return
        written = self._insist(
            lambda: self._store.succeed(
                self._worker, work.id, claim.fence, result, work.advance(), work.compute_s, Sizes(work.company, work.crowd)
            )
        )
        self.hands.put_down(work.id)
        if written and self._runs is not None:
            self._runs.note(work)
        log.info("job_succeeded" if written else "job_stale", job_id=work.id, request_id=claim.spec.request_id)

    def _keep_answers(self, work: Work) -> None:
        """Keep what the job was answered, so that it can be refined; it has its result without that, too."""
        answers = work.packed_answers(self._settings.refine_bytes) if self._settings.refine_ttl_s else None
        if answers is None:
            return
        try:
            self._store.beside.keep_answers(work.id, answers)
        except StoreUnavailable:
            log.warning("answers_not_kept", job_id=work.id)

    def _fail(self, claim: Claim, error: ExplaineryError) -> None:
        told = JobError(code=error.code, detail=error.detail, retryable=error.retryable)
        after_s: float = getattr(error, "retry_after_s", 0.0)
        written = self._insist(lambda: self._store.fail(self._worker, claim.spec.id, claim.fence, told, after_s))
        self.hands.put_down(claim.spec.id)
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
