"""Holding an answer until a job has changed or ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from explainery.contract.job import Job
from explainery.store.watch import News
from service.parts import Parts


def until_ended(parts: Parts, job_id: str, wait_s: float) -> Job:
    """The job when it has ended, or as it is after `wait_s`."""
    if wait_s <= 0:
        return parts.jobs.get(job_id)
    deadline = time.monotonic() + wait_s
    with parts.watcher.news(job_id, of_its_end=True) as news:
        return _ended(parts, job_id, news, parts.jobs.get(job_id), deadline)


def submitted(parts: Parts, job_id: str, admit: Callable[[], bool], wait_s: float) -> Job:
    """Admit a job; give it back when it has ended, or as it is after `wait_s`. It is read once, when it has ended.

    `admit` says whether it has ended by that.
    """
    deadline = time.monotonic() + wait_s
    if wait_s <= 0:
        admit()
        return parts.jobs.get(job_id)
    with parts.watcher.news(job_id, of_its_end=True) as news:
        if not admit():
            news.wait(wait_s)
        return _ended(parts, job_id, news, parts.jobs.get(job_id), deadline)


def _ended(parts: Parts, job_id: str, news: News, job: Job, deadline: float) -> Job:
    while not job.status.ended and (left_s := deadline - time.monotonic()) > 0:
        news.wait(left_s)
        job = parts.jobs.get(job_id)
    return job


def until_changed(parts: Parts, job: Job, wait_s: float) -> Job:
    """The job when it is at another revision, or as it is after `wait_s`."""
    if not job.status.ended and wait_s > 0 and parts.watcher.wait(job.id, job.revision, wait_s):
        return parts.jobs.get(job.id)
    return job
