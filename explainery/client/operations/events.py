"""What becomes of jobs, as it happens."""

from __future__ import annotations

from explainery.client.events import Event, listen
from explainery.client.operations.paths import job_path
from explainery.client.steps import Stream
from explainery.contract.job import Job


def events(job: Job | str | None = None, *, after: str | None = None) -> Stream[Event]:
    """What becomes of a job, as it happens and until it has ended; without a job, of all jobs, and without end.

    `after`: the id of the last event that came, behind which to go on; else a job's stream begins with how it stands, and that
    of all jobs now. Connections that break are made again, and lose none.
    """
    yield from listen("/v1/events" if job is None else job_path(job, "events"), after)
