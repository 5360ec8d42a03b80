"""What a job took, noted for the estimates of the next ones."""

from __future__ import annotations

import structlog

from explainery.contract.errors import StoreUnavailable
from explainery.contract.estimate import Run
from explainery.store.runs import Kind, RunStore
from workers.work import Work

log = structlog.get_logger()


def note_run(runs: RunStore, work: Work, device: str) -> None:
    """Note a job that has succeeded; notes are sent a few times a second. One that entered without an estimate is not noted."""
    job = work.claim.spec
    if job.estimate is None:
        return
    kind = Kind(job.model, device, job.method, job.estimate.shape, job.tenant)
    runs.note(
        kind,
        Run(
            values=work.model_evaluations,
            gradients=work.gradient_evaluations,
            rows=job.rows,
            seconds=max(work.compute_s + work.between_s, 1e-6),
            share=None if job.refines else _share(work),  # of what it might have taken, it knew a part
        ),
    )
    if runs.due():
        send_runs(runs)


def send_runs(runs: RunStore) -> None:
    """Send what was noted. Redis may be away: the notes are lost then, and nothing else."""
    try:
        runs.send()
    except StoreUnavailable:
        log.info("runs_not_noted")


def _share(work: Work) -> float | None:
    """Of the most calls that the job might have taken, what it took; None where that was known, or not known at all."""
    estimate = work.claim.spec.estimate
    counts = (estimate.model_evaluations, estimate.gradient_evaluations) if estimate else ()
    if not any(not count.exact and count.at_most for count in counts):
        return None
    most = sum(count.at_most or 0 for count in counts)
    return min(1.0, (work.model_evaluations + work.gradient_evaluations) / max(1, most))
