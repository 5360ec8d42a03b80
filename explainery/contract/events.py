"""What is told of a job's life: to event streams and to webhooks. Attributes are those of CloudEvents 1.0."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from explainery.contract.frozen import Frozen
from explainery.contract.job import JobState, Progress

JOBS = "/v1/explanations"
FORGOTTEN = "forgotten"
PROGRESS = "progress"
GAP = "gap"
"""What an event stream says in place of events that are not kept any more."""
FAMILY = "explanation"
PING = "webhook.ping"
TYPES = tuple(f"{FAMILY}.{name}" for name in (*(state.value for state in JobState), FORGOTTEN))
"""What is kept, and what webhooks can be told of. `explanation.progress` is told to those who listen just then."""
ENDS = tuple(f"{FAMILY}.{state.value}" for state in JobState if state.ended)


class JobEvent(Frozen):
    """One change of one job. `id`: its place among its tenant's events; None for progress, which is not kept."""

    id: str | None
    job: str
    what: str
    """A state, `forgotten`, or `progress`."""
    revision: int
    at_ms: int
    progress: Progress | None = None

    @property
    def type(self) -> str:
        """As CloudEvents and Standard Webhooks name it."""
        return f"{FAMILY}.{self.what}"

    @property
    def final(self) -> bool:
        """Whether nothing more is told of the job."""
        return self.what == FORGOTTEN or self.type in ENDS

    @property
    def key(self) -> str:
        """The same for the same event, wherever and however often it is told."""
        return f"{self.job}_{self.revision}" + f"_{FORGOTTEN}" * (self.what == FORGOTTEN)


def attributes(event: JobEvent, root: str = "") -> dict[str, str]:
    """The attributes that CloudEvents 1.0 wants beside the data. `root`: the path under which the API is mounted."""
    return {
        "specversion": "1.0",
        "id": event.key,
        "source": root + JOBS,
        "type": event.type,
        "subject": event.job,
        "time": rfc3339(event.at_ms),
    }


def data(event: JobEvent, root: str = "") -> dict[str, Any]:
    """What changed: thin on purpose, the links lead to the rest."""
    status = JobState.RUNNING.value if event.what == PROGRESS else event.what
    told: dict[str, Any] = {"id": event.job, "status": status, "revision": event.revision}
    if event.progress is not None:
        told["progress"] = event.progress.model_dump()
    return {**told, "links": {} if event.what == FORGOTTEN else links(event.job, root)}


def links(job_id: str, root: str = "") -> dict[str, str]:
    """Where what belongs to a job is found."""
    here = f"{root}{JOBS}/{job_id}"
    return {"self": here, "result": f"{here}/result", "cancel": f"{here}/cancel", "events": f"{here}/events"}


def rfc3339(ms: int) -> str:
    """A time in UTC with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
