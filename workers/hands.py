"""What a worker has in its hands: seen by the engine, which works, and by the heartbeat, which watches from its own thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from explainery.store.jobs import Advance, Claim
from workers.work import Work


@dataclass(frozen=True)
class Call:
    """A call of a model that is going on: for which jobs, of what kind, since when (monotonic seconds).

    `abandon`: how to end it from another thread, where that can be done without ending the process.
    """

    jobs: tuple[str, ...]
    what: str
    since_s: float
    abandon: Callable[[], object] | None = None


@dataclass(frozen=True)
class Held:
    """One job in hand. `since_s`: when it was claimed (monotonic seconds); `work` once it has been taken in."""

    claim: Claim
    since_s: float
    work: Work | None = None

    def advance(self) -> Advance:
        """How far it is."""
        if self.work is not None:
            return self.work.advance()
        return Advance(self.claim.spec.id, self.claim.fence, 0, 1, "model_evaluations")


class Hands:
    """The jobs in hand by id, and the call that is going on. One thread changes it, another looks at copies."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._lost: set[str] = set()
        self.call: Call | None = None

    # --- the engine's

    def take(self, claim: Claim) -> None:
        """A job was claimed."""
        self._held[claim.spec.id] = Held(claim, time.monotonic())

    def begin(self, work: Work) -> None:
        """A job was taken in."""
        self._held[work.id] = Held(work.claim, self._held[work.id].since_s, work)

    def put_down(self, job_id: str) -> None:
        """A job is done with."""
        self._held.pop(job_id, None)

    def lost(self, among: Collection[str]) -> list[str]:
        """Those of the jobs that are no longer ours; they are put down."""
        gone = [job_id for job_id in among if job_id in self._lost]
        for job_id in gone:
            self.put_down(job_id)
        self._lost -= set(gone)
        return gone

    @contextmanager
    def busy(self, jobs: Sequence[str], what: str, abandon: Callable[[], object] | None = None) -> Iterator[None]:
        """A model is being called or loaded for these jobs."""
        self.call = Call(tuple(jobs), what, time.monotonic(), abandon)
        try:
            yield
        finally:
            self.call = None

    # --- the heartbeat's

    def held(self) -> dict[str, Held]:
        """A copy of what is in hand."""
        return dict(self._held)

    def claims(self) -> list[Claim]:
        """Every claim in hand."""
        return [held.claim for held in self.held().values()]

    def advances(self) -> list[Advance]:
        """How far each job in hand is."""
        return [held.advance() for held in self.held().values()]

    def partials(self) -> dict[str, bytes]:
        """Running estimates by job id that were not published yet."""
        fresh = {}
        for job_id, held in self.held().items():
            if held.work is not None and (partial := held.work.partial) is not None:
                fresh[job_id], held.work.partial = partial, None
        return fresh

    def lose(self, job_ids: set[str]) -> None:
        """These jobs are no longer ours: they are dropped before the next chunk."""
        self._lost = self._lost | job_ids

    def disowned(self, job_id: str) -> bool:
        """Whether a job is no longer ours, though it may still be in a call."""
        return job_id in self._lost
