"""What a job is expected to cost: calls, seconds, memory, and how long it waits."""

from __future__ import annotations

from typing import Literal

from explainery.contract.calls import Count
from explainery.contract.frozen import Frozen

Basis = Literal["method", "model", "prior"]
"""What seconds are learned from: runs of the method on this model, runs of other methods on it, or nothing yet."""


class Estimate(Frozen):
    """What a job is expected to cost.

    `seconds`: of a worker's time, what `cost.compute_seconds` of the result will say; alone in a batch the job takes as long.
    `queue_s`, `load_s`: before it begins. `memory_bytes`: for its rows and the model; None where nothing is known.
    """

    model_evaluations: Count
    gradient_evaluations: Count
    seconds: float
    least_seconds: float
    """The same for the least calls that the job can do with."""
    seconds_from: Basis
    runs: int
    """How many past runs the seconds are learned from."""
    memory_bytes: int | None
    queue_s: float
    load_s: float
    device: str
    shape: str
    """The rows' shapes, as past runs are told apart."""

    @property
    def at_most(self) -> int | None:
        """The most calls of both kinds."""
        parts = (self.model_evaluations.at_most, self.gradient_evaluations.at_most)
        return None if None in parts else sum(part for part in parts if part is not None)

    @property
    def least(self) -> int:
        """The fewest calls of both kinds."""
        return self.model_evaluations.least + self.gradient_evaluations.least

    @property
    def expected(self) -> int:
        """The expected calls of both kinds."""
        return self.model_evaluations.expected + self.gradient_evaluations.expected


class Run(Frozen):
    """A job that has ended, in figures.

    `most`: calls it might have taken; None where the number was known before, or not known at all. `cold`: the first of its
    kind in its process, which paid for what is made once: imports, tables, plans.
    """

    values: int
    gradients: int
    rows: int
    seconds: float
    most: int | None = None
    cold: bool = False
