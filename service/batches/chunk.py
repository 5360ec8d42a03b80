"""A stretch of a batch's input that is being worked on: where it lies, its jobs, and the lines that got no answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from service.batches.lines import Line
from service.batches.planning import Member, Planned


@dataclass(eq=False)
class Chunk:
    """One chunk. `start`: its place in the input; `first`: the number of its first line; `count`: how many it has.

    `lines`: those, where they are in memory: they are read again after a restart.
    """

    number: int
    start: int
    first: int
    count: int
    jobs: dict[str, list[Member]] = field(default_factory=dict)
    refused: dict[int, Any] = field(default_factory=dict)
    lines: list[Line] | None = None

    def take(self, planned: Planned) -> None:
        """Take in what lines have become."""
        self.jobs.update({job.spec.id: job.lines for job in planned.jobs})
        self.refused.update(planned.refused)

    def refuse(self, job_id: str, fault: Any) -> None:
        """A job gives no answer, to none of its lines."""
        self.refused.update({line: fault for line, _ in self.jobs.pop(job_id)})

    def plan(self) -> list[Any]:
        """What is noted."""
        return [self.start, self.first, self.count, self.jobs, self.refused]

    @classmethod
    def of(cls, number: int, plan: Any) -> Chunk:
        """What was noted."""
        start, first, count, jobs, refused = plan
        members = {job_id: [(line, rows) for line, rows in lines] for job_id, lines in jobs.items()}
        return cls(number, start, first, count, members, {int(line): fault for line, fault in refused.items()})
