"""What jobs took, noted for the estimates of the next ones."""

from __future__ import annotations

from collections import OrderedDict

import structlog

from explainery.contract.errors import StoreUnavailable
from explainery.contract.estimate import Run
from explainery.store.runs import Kind, RunStore
from workers.work import Work

log = structlog.get_logger()

REMEMBERED = 4096
"""Kinds of jobs that a worker knows to have run."""


class PastRuns:
    """The notes of one worker. Redis may be away: they are lost then, and nothing else."""

    def __init__(self, runs: RunStore, device: str) -> None:
        self._runs = runs
        self._device = device
        self._ran: OrderedDict[Kind, None] = OrderedDict()

    def note(self, work: Work) -> None:
        """Note a job that has succeeded, to be sent with the next ones. One that entered without an estimate is not noted."""
        job = work.claim.spec
        if job.estimate is None:
            return
        kind = Kind(job.model, self._device, job.method, job.estimate.shape, job.tenant)
        run = Run(
            values=work.model_evaluations,
            gradients=work.gradient_evaluations,
            rows=job.rows,
            seconds=max(work.compute_s + work.between_s, 1e-6),
            most=_most(work),
            cold=self._is_first(kind),
        )
        self._runs.note(kind, run)
        if self._runs.due():
            self.send()

    def send(self) -> None:
        """Send what was noted."""
        try:
            self._runs.send()
        except StoreUnavailable:
            log.info("runs_not_noted")

    def _is_first(self, kind: Kind) -> bool:
        first = kind not in self._ran
        self._ran[kind] = None
        self._ran.move_to_end(kind)
        if len(self._ran) > REMEMBERED:
            self._ran.popitem(last=False)
        return first


def _most(work: Work) -> int | None:
    """The calls that the method might have taken; None where they were known, or not known at all.

    Nor of a job with checks, whose calls come with the method's, or of one that refines another and knew a part before.
    """
    job, estimate = work.claim.spec, work.claim.spec.estimate
    if estimate is None or job.quality or job.refines:
        return None
    counts = (estimate.model_evaluations, estimate.gradient_evaluations)
    return estimate.at_most if any(not count.exact for count in counts) else None
