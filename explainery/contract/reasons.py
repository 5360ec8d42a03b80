"""Reason codes: which features spoke against (or for) a decision, in order, by the codes that a model card gives them. Pure.

Contributions of features that share a code, or a group that has one, are summed before they are ranked. `against` are those
that lower the explained output, as notices of adverse action need them: explain the output that means approval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Direction = Literal["against", "for"]
Z_95 = 1.959963984540054
"""Half the width of a 95 % interval, in standard errors."""
SAME = 1e-6
"""Contributions this near, as a share of the largest, are a tie: attributions are in single precision."""


class ReasonCode(BaseModel):
    """What a card calls a feature or a group in a notice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=64)]
    text: Annotated[str, Field(min_length=1, max_length=512)]


class ReasonsAsked(BaseModel):
    """Which reasons a request asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    top: Annotated[int, Field(ge=1, le=100)] = 4
    direction: Direction = "against"


class Reason(BaseModel):
    """One reason. `code`, `text`: None for what the card has no code for; `features`: what was summed, as it is attributed.

    `contribution`: in units of the output, below 0 where it speaks against. `certain`: at 95 %, that it has this sign and is
    larger than all behind it, listed or not; standard errors of different features count as independent. `tied`: as large as
    one beside it; ties stand in the card's order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int
    code: str | None
    text: str | None
    features: tuple[str, ...]
    contribution: float
    standard_error: float | None
    tied: bool
    certain: bool


@dataclass(frozen=True)
class Contribution:
    """What a feature or a group contributes. `error`: its standard error, 0 for exact methods, None where nobody knows."""

    name: str
    value: float
    error: float | None = 0.0


@dataclass(frozen=True)
class Codes:
    """A card's codes by feature or group, and which features each group has."""

    codes: Mapping[str, ReasonCode]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, name: str) -> ReasonCode | None:
        """A feature's own code, else its group's; a group's own, else the one that all its features have."""
        if name in self.codes:
            return self.codes[name]
        if name in self.groups:
            found = {self.codes.get(member) for member in self.groups[name]}
            return found.pop() if len(found) == 1 else None
        around = (group for group, members in self.groups.items() if name in members and group in self.codes)
        return next((self.codes[group] for group in around), None)


@dataclass
class _Subject:
    code: ReasonCode | None
    names: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    errors: list[float | None] = field(default_factory=list)

    @property
    def value(self) -> float:
        return math.fsum(self.values)

    @property
    def error(self) -> float | None:
        known = [error for error in self.errors if error is not None]
        return math.sqrt(math.fsum(error**2 for error in known)) if len(known) == len(self.errors) else None


def principal_reasons(contributions: Iterable[Contribution], codes: Codes, asked: ReasonsAsked) -> tuple[Reason, ...]:
    """The reasons in order, the strongest first: at most `asked.top`, fewer where fewer have that sign."""
    subjects: dict[object, _Subject] = {}
    for each in contributions:
        code = codes.of(each.name)
        subject = subjects.setdefault(("code", code.code) if code else ("name", each.name), _Subject(code))
        subject.names.append(each.name)
        subject.values.append(each.value)
        subject.errors.append(each.error)
    sign = -1 if asked.direction == "against" else 1
    largest = max((abs(subject.value) for subject in subjects.values()), default=0.0)
    speaking = [subject for subject in subjects.values() if sign * subject.value > SAME * largest]
    ranked = _ranked(speaking, sign, SAME * largest)
    rest = [subject for subject in subjects.values() if sign * subject.value <= SAME * largest]
    return tuple(_reason(ranked, rest, place, sign, SAME * largest) for place in range(min(asked.top, len(ranked))))


def _ranked(subjects: list[_Subject], sign: int, near: float) -> list[_Subject]:
    """By size; what is as large as the first of its kind stands in the order in which it came."""
    order = {id(subject): place for place, subject in enumerate(subjects)}
    left = sorted(subjects, key=lambda subject: (-sign * subject.value, order[id(subject)]))
    ranked: list[_Subject] = []
    while left:
        tie = [subject for subject in left if abs(subject.value - left[0].value) <= near]
        ranked += sorted(tie, key=lambda subject: order[id(subject)])
        left = left[len(tie) :]
    return ranked


def _reason(ranked: list[_Subject], rest: list[_Subject], place: int, sign: int, near: float) -> Reason:
    """`rest`: what does not speak that way, as far as is known."""
    subject = ranked[place]
    beside = [ranked[other].value for other in (place - 1, place + 1) if 0 <= other < len(ranked)]
    tied = any(abs(value - subject.value) <= near for value in beside)
    return Reason(
        rank=place + 1,
        code=subject.code.code if subject.code else None,
        text=subject.code.text if subject.code else None,
        features=tuple(subject.names),
        contribution=subject.value,
        standard_error=subject.error,
        tied=tied,
        certain=not tied
        and _beyond(sign * subject.value, subject.error)
        and all(_larger(subject, other, sign) for other in (*ranked[place + 1 :], *rest)),
    )


def _larger(one: _Subject, other: _Subject, sign: int) -> bool:
    known = one.error is not None and other.error is not None
    spread = math.hypot(one.error or 0.0, other.error or 0.0) if known else None
    return _beyond(sign * (one.value - other.value), spread)


def _beyond(value: float, error: float | None) -> bool:
    """Whether a number is above 0 at 95 %."""
    return error is not None and value > Z_95 * error
