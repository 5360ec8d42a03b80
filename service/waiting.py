"""Holding an answer until a job has changed or ended, as long as what its caller was let in with is good."""

from __future__ import annotations

import time

from explainery.contract.job import Job
from explainery.store.watch import News
from service.caller import shown_now
from service.entering import Entry
from service.parts import Parts


def until_ended(parts: Parts, job_id: str, wait_s: float) -> Job:
    """The job when it has ended, or as it is after `wait_s`. Raises Unauthenticated, as all of these do."""
    if wait_s <= 0:
        return parts.jobs.get(job_id)
    deadline = time.monotonic() + wait_s
    with parts.watcher.news(job_id, of_its_end=True) as news:
        return _ended(parts, job_id, news, parts.jobs.get(job_id), deadline)


def submitted(parts: Parts, entry: Entry, wait_s: float) -> Job:
    """Admit a job; give it back when it has ended, or as it is after `wait_s`. It is read once, when it has ended.

    What repeats an earlier request is that request's job.
    """
    deadline = time.monotonic() + wait_s
    if wait_s <= 0:
        entry.enter()
        return parts.jobs.get(entry.id)
    with parts.watcher.news(job_id := entry.id, of_its_end=True) as news:
        answered = entry.enter()
        if not entry.repeats:
            if not answered:
                news.wait(wait_s)
                parts.passes.check(shown_now())
            return _ended(parts, job_id, news, parts.jobs.get(job_id), deadline)
    return until_ended(parts, entry.id, wait_s)


def _ended(parts: Parts, job_id: str, news: News, job: Job, deadline: float) -> Job:
    while not job.status.ended and (left_s := deadline - time.monotonic()) > 0:
        news.wait(left_s)
        parts.passes.check(shown_now())
        job = parts.jobs.get(job_id)
    return job


def until_changed(parts: Parts, job: Job, wait_s: float) -> Job:
    """The job when it is at another revision, or as it is after `wait_s`."""
    if job.status.ended or wait_s <= 0:
        return job
    changed = parts.watcher.wait(job.id, job.revision, wait_s, lambda: parts.passes.check(shown_now()))
    return parts.jobs.get(job.id) if changed else job
