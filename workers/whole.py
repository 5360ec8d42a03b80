"""A job as a method sees it that answers for all its rows together: what it may know, what it yields, what it returns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import OutputSpec
from workers.frame import Frame
from workers.game import InputView
from workers.questions import Answer, Floats, Map, Question
from workers.table import Table


@dataclass(frozen=True, eq=False)
class Bounds:
    """Where an input's values may lie, and their mean over the job's rows: float64 arrays shaped like one row.

    `of`: whose range it is.
    """

    lowest: Floats
    highest: Floats
    mean: Floats
    of: Literal["card", "rows"]


@dataclass(frozen=True)
class WeightFigures:
    """One array that a layer has learned, in figures. `kurtosis`: 3 for a normal distribution, 1.8 for a uniform one.

    `fan_in`, `fan_out`: inputs a unit reads, and units that read an input; None for what is no matrix or kernel.
    `used`: whether computing the output reads the array at all.
    """

    layer: str
    type: str
    name: str
    shape: tuple[int, ...]
    mean: float
    std: float
    low: float
    high: float
    zeros: float
    kurtosis: float
    finite: bool
    used: bool
    fan_in: int | None = None
    fan_out: int | None = None


@dataclass(frozen=True, eq=False)
class JobView:
    """A job: how many rows, the seed, the target of each row ("predicted": its largest output), and the output explained.

    `layers`: the layers that the parameters name, in the model's order. `inputs`: in the card's order, the first row's shapes.
    `bounds`: of the inputs of floats, by name.
    `weights`: looks at what the model has learned. `table`: for methods of tables.
    """

    rows: int
    seed: int
    targets: tuple[int | Literal["predicted"] | None, ...]
    output: OutputSpec
    inputs: tuple[InputView, ...]
    bounds: Mapping[str, Bounds]
    layers: tuple[LayerSpec, ...] = ()
    weights: Callable[[], Sequence[WeightFigures]] = tuple
    table: Table | None = None


@dataclass(frozen=True)
class JobSolution:
    """What a method returns for a job: a report of plain values (and NumPy's numbers), and named arrays that go with it."""

    report: Mapping[str, Any]
    maps: tuple[Map, ...] = ()
    notes: tuple[str, ...] = field(default=())


Asked = list[tuple[int, Question | Frame]]
"""Questions, each about a row of the job by its number."""
ExplainingJob = Generator[Asked, list[Answer], JobSolution]
"""A method at work on a job: yields lists of questions, is sent the lists of their answers, returns a solution."""
