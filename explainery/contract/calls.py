"""How many calls of the model a job takes: a method says it in formulas, so that it is known at the door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator

from explainery.contract.formula import Lookup, Unknown, check, evaluate
from explainery.contract.frozen import Frozen

MOST = 2**62
"""Numbers of calls are cut off here: what takes more never ends."""


class Calls(Frozen):
    """Calls that one row takes against one baseline; of a method that answers for the whole job, the job.

    Formulas (`explainery.contract.formula`) over the method's parameters and `players`; `windows` and `places` (what occlusion
    and rise make of a row) with `smooth` (1: pictures or series); the `coalitions` that orders pass which keep a hierarchy
    together, -1 where only a worker can tell; of a method that answers for the whole job `rows`, and the `points` of its
    curves, at most, and the `fewest_points`.

    `values`, `gradients`: calls, at most, without those that frame the answer. `adaptive`: when the answers decide how many
    there are; `least` of them are made then, of both kinds together.
    `shows`: the outputs that the method's first look shows, which then need no calls of their own.
    """

    values: str = "0"
    gradients: str = "0"
    adaptive: str = "0"
    least: str | None = None
    shows: Literal["nothing", "instance", "both"] = "nothing"

    @field_validator("values", "gradients", "adaptive", "least")
    @classmethod
    def _is_formula(cls, text: str | None) -> str | None:
        return text if text is None else check(text)


class Count(Frozen):
    """How many calls. `at_most` is None where only a worker can tell. `exact`: it is the number."""

    at_most: int | None
    expected: int
    least: int
    exact: bool


class Counts(Frozen):
    """Calls of both kinds that a job takes."""

    values: Count
    gradients: Count

    @property
    def least(self) -> int:
        """The fewest calls that the job can do with."""
        return self.values.least + self.gradients.least

    @property
    def expected(self) -> int:
        """The calls that it is expected to take."""
        return self.values.expected + self.gradients.expected

    @property
    def at_most(self) -> int | None:
        """The most calls it may take, None where a worker alone can tell."""
        parts = (self.values.at_most, self.gradients.at_most)
        return None if None in parts else sum(part for part in parts if part is not None)


class Setting(Frozen):
    """What multiplies a row's calls. `backgrounds`: baselines of each row, None where only a worker can tell.

    `one_baseline`: each evaluation takes one of them (`MethodSpec.one_baseline`); a frame takes all. `around`: baselines of a
    frame where they are more, of a background whose nearest rows alone stand for what is absent.
    `framed_first`: the outputs have to be asked for before the method begins, whatever it shows.
    """

    rows: int
    backgrounds: int | None
    whole: bool = False
    one_baseline: bool = False
    framed_first: bool = False
    around: int | None = None


def count(calls: Calls, setting: Setting, look_up: Lookup, share: float = 0.5) -> Counts | None:
    """The calls of a job; None where the formulas ask for what only a worker knows.

    `share`: of the most that a method may ask, what it is expected to, where the answers decide.
    """
    try:
        values, gradients = (max(0, int(evaluate(text, look_up))) for text in (calls.values, calls.gradients))
        adaptive = bool(evaluate(calls.adaptive, look_up))
        least = int(evaluate(calls.least, look_up)) if adaptive and calls.least is not None else values + gradients
    except Unknown:
        return None
    if setting.backgrounds is None:
        return None
    frame = 0 if setting.whole else _frame(calls, setting)
    rows = 1 if setting.whole else setting.rows
    width = 1 if setting.one_baseline or setting.whole else setting.backgrounds
    fewest = min(least, values + gradients) if adaptive else values + gradients
    few_gradients = min(gradients, fewest)
    return Counts(
        values=_of(rows, frame, width, values, fewest - few_gradients, share, adaptive=adaptive),
        gradients=_of(rows, 0, width, gradients, few_gradients, share, adaptive=adaptive),
    )


def at_least(counts: Counts, sparing: Counts) -> Counts:
    """The same calls, of a job that can do with those of `sparing`."""
    pairs = {name: (getattr(counts, name), getattr(sparing, name)) for name in ("values", "gradients")}
    return Counts(**{name: of.model_copy(update={"least": min(of.least, few.least)}) for name, (of, few) in pairs.items()})


def gone_on(counts: Counts, known: int, frames: int, least: int) -> Counts:
    """The calls of a job that asks the same, where answers are there before it begins: `known`, and `frames` of the outputs.

    At most as many as without them: a plan for more samples may ask some anew. `least`: at which a budget may end it.
    """
    if counts.gradients.expected > 0:
        return Counts(values=_less(counts.values, frames, 0), gradients=_less(counts.gradients, known, least))
    return Counts(values=_less(counts.values, known + frames, least), gradients=counts.gradients)


def _less(of: Count, known: int, least: int) -> Count:
    most = of.expected if of.at_most is None else of.at_most
    expected = round(max(0, most - known) * of.expected / most) if most else 0
    return of.model_copy(update={"expected": expected, "least": min(least, expected), "exact": most == 0})


def checked(counts: Counts, samples: int, runs: int) -> Counts:
    """The calls of a job whose explanations are checked, with `samples` more in all and `runs` further runs of the method.

    At most so many: what a check leaves out, only a worker can tell. The least is what it was.
    """
    return Counts(values=_grown(counts.values, samples, runs), gradients=_grown(counts.gradients, 0, runs))


def _grown(of: Count, samples: int, runs: int) -> Count:
    at_most, expected = (None if part is None else min(part * (1 + runs) + samples, MOST) for part in (of.at_most, of.expected))
    return Count(
        at_most=at_most, expected=expected or 0, least=of.least, exact=of.exact and not (samples or of.expected * runs)
    )


def _frame(calls: Calls, setting: Setting) -> int:
    """Calls for the outputs at a row and its baselines, besides the method's own."""
    around = setting.around or setting.backgrounds or 1
    if setting.framed_first or calls.shows == "nothing":
        return 1 + around
    return around if calls.shows == "instance" else 0


def _of(rows: int, frame: int, width: int, most: int, least: int, share: float, *, adaptive: bool) -> Count:
    at_most, fewest = (min(rows * (frame + width * part), MOST) for part in (most, least))
    if not adaptive or at_most == fewest:
        return Count(at_most=at_most, expected=at_most, least=at_most, exact=not adaptive)
    likely = rows * frame + round(share * rows * width * most)
    return Count(at_most=at_most, expected=max(fewest, min(likely, at_most)), least=fewest, exact=False)


def guess(expected: int, *, gradients: bool) -> Counts:
    """Counts of a job of which nothing is known for sure."""
    some, none = (Count(at_most=None, expected=each, least=0, exact=False) for each in (expected, 0))
    return Counts(values=none, gradients=some) if gradients else Counts(values=some, gradients=none)


def variables(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that a formula may ask for: whole numbers and numbers."""
    return {name: value for name, value in params.items() if isinstance(value, (int, float))}
