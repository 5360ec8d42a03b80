"""A comparison on its way in, and out: its jobs enter all or none."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from flask import g

from explainery.contract.comparison import COMPARISONS, Comparison, ComparisonRequest, status_of
from explainery.contract.errors import ComparisonGone, ExplaineryError, JobEnded, JobGone, JobNotFound, RequestRefused
from explainery.contract.job import Job
from explainery.store.ids import new_job_id
from service.documents import job_document
from service.entering import Entry, prepared
from service.faults import fault
from service.parts import Parts
from service.tenant import tenant_now
from service.waiting import until_ended


def enter(context: Parts, asked: ComparisonRequest) -> Comparison:
    """Check every variant, then admit them all, or none. Raises what `prepared` does, by variant, and what `enter` does."""
    comparison_id = new_job_id()
    entries = [_prepared(context, asked, number) for number in range(len(asked.variants))]
    entered: list[Entry] = []
    try:
        for entry in entries:
            entry.enter()
            if not entry.repeats:
                entered.append(entry)
        tenant = tenant_now()
        ids = tuple(entry.id for entry in entries)
        made = Comparison(id=comparison_id, jobs=ids, labels=tuple(asked.labels()), top=asked.top, tenant=tenant)
        context.comparisons.keep(made)
    except ExplaineryError:
        for entry in entered:
            with contextlib.suppress(ExplaineryError):
                context.bell.ring(context.jobs.forget(entry.id))
        raise
    g.job_id = comparison_id
    return made


def _prepared(context: Parts, asked: ComparisonRequest, number: int) -> Entry:
    try:
        entry = prepared(context, asked.jobs()[number], part=number)
    except RequestRefused as error:
        error.errors = [{**each, "loc": f"variants.{number}.{each['loc']}"} for each in error.errors]
        raise
    if entry.spec is not None and context.shelf().method(entry.spec.method).level == "job":
        message = "answers for a job as a whole: there is nothing to compare by row"
        raise fault(RequestRefused, f"variants.{number}.method", message)
    return entry


def jobs_of(context: Parts, comparison: Comparison, wait_s: float = 0.0) -> list[Job]:
    """Its jobs; with `wait_s`, once they have ended or so long after. Raises ComparisonGone when one was forgotten."""
    deadline = time.monotonic() + wait_s
    try:
        return [until_ended(context, job_id, max(0.0, deadline - time.monotonic())) for job_id in comparison.jobs]
    except (JobGone, JobNotFound):
        raise ComparisonGone("A job of the comparison was deleted or has expired, so there is nothing to compare.") from None


def cancel(context: Parts, comparison: Comparison) -> None:
    """Cancel those of its jobs that have not ended. Raises JobEnded when all have."""
    states = [job.status for job in jobs_of(context, comparison)]
    if all(state.ended for state in states):
        state = status_of(states)
        raise JobEnded(f"The comparison has ended ({state}); there is nothing to cancel.", state)
    for job_id in comparison.jobs:
        with contextlib.suppress(JobEnded):
            context.bell.ring(context.jobs.cancel(job_id)[1])


def forget(context: Parts, comparison: Comparison) -> None:
    """Forget it and its jobs."""
    for job_id in comparison.jobs:
        with contextlib.suppress(JobGone, JobNotFound):
            context.bell.ring(context.jobs.forget(job_id))
        context.drawings.forget(job_id)
    context.comparisons.forget(comparison)


def comparison_document(comparison: Comparison, jobs: list[Job], root: str) -> dict[str, Any]:
    """A comparison as the wire writes it."""
    here = f"{root}{COMPARISONS}/{comparison.id}"
    variants = zip(comparison.labels, jobs, strict=True)
    return {
        "id": comparison.id,
        "status": status_of([job.status for job in jobs]),
        "tenant": comparison.tenant,
        "variants": [{"label": label, "job": job_document(job, root)} for label, job in variants],
        "links": {"self": here, "result": f"{here}/result", "cancel": f"{here}/cancel"},
    }
