"""What may be changed of a table's row, and how: a card says it of the world, a request may only narrow it."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Direction = Literal["increase", "decrease"]
FORM = (
    "must be an object of immutable (a list of names), ranges ({name: [lowest, highest]}), directions "
    '({name: "increase" or "decrease"}), steps ({name: a number above 0}) and one_hot (names of groups)'
)


class Actionability(BaseModel):
    """Limits by feature name. `immutable` may name groups, too.

    `steps`: a changed value is a whole multiple of this; 1 for whole numbers. `one_hot`: groups of which one feature is 1 and
    the others 0; they change as one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    immutable: tuple[str, ...] = ()
    ranges: dict[str, tuple[float, float]] = {}
    directions: dict[str, Direction] = {}
    steps: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    one_hot: tuple[str, ...] = ()

    def faults(self, features: Collection[str], groups: Mapping[str, Collection[str]]) -> Iterator[str]:
        """What does not fit a table of these features and groups, a sentence each."""
        if not set(self.immutable) <= {*features, *groups}:
            yield "immutable names a feature or group that is not there"
        if not set(self.one_hot) <= set(groups):
            yield "one_hot names a group that is not there"
        for key in ("ranges", "directions", "steps"):
            if not set(getattr(self, key)) <= set(features):
                yield f"{key} names a feature that is not there"
        if any(math.isnan(low) or math.isnan(high) or low > high for low, high in self.ranges.values()):
            yield "ranges must be [lowest, highest]"
        blocked = {member for name in self.one_hot for member in groups.get(name, ())}
        if blocked & {*self.ranges, *self.steps}:
            yield "a feature of a one_hot group is 0 or 1: it has no range and no steps"

    def narrowed(self, asked: Actionability) -> Actionability:
        """Both limits together. A feature that may only rise and only fall, or has no step in common, is immutable."""
        ranges = dict(self.ranges)
        for name, (low, high) in asked.ranges.items():
            lowest, highest = self.ranges.get(name, (-math.inf, math.inf))
            ranges[name] = (max(low, lowest), min(high, highest))
        torn = {name for name, way in asked.directions.items() if self.directions.get(name, way) != way}
        steps = {**self.steps, **asked.steps}
        for name in self.steps.keys() & asked.steps.keys():
            coarse, fine = max(self.steps[name], asked.steps[name]), min(self.steps[name], asked.steps[name])
            steps[name] = coarse
            if abs(coarse / fine - round(coarse / fine)) > 1e-9:
                torn.add(name)
        return Actionability(
            immutable=tuple(dict.fromkeys((*self.immutable, *asked.immutable, *sorted(torn)))),
            ranges=ranges,
            directions={**self.directions, **asked.directions},
            steps=steps,
            one_hot=tuple(dict.fromkeys((*self.one_hot, *asked.one_hot))),
        )


def read_actionability(value: Any) -> Actionability:
    """A request's limits, in strict types: "7" is not 7. Raises ValueError."""
    try:
        return Actionability.model_validate_json(json.dumps(value, allow_nan=False), strict=True)
    except (ValidationError, TypeError) as error:
        raise ValueError(FORM) from error


def fault_of(value: object) -> str | None:
    """Say what is wrong with the form of a request's limits, or None."""
    try:
        read_actionability(value)
    except (ValueError, RecursionError):
        return FORM
    return None
