"""Which methods sample: they can say what they know at any time, be stopped by a budget or a deadline, and be refined later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.contract.catalogue import MethodSpec, Param

SAMPLES = "samples"


def samples_param(method: MethodSpec) -> Param | None:
    """The parameter that says how many samples a row may take; None for a method that does not sample rows."""
    if not method.random or method.level != "row":
        return None
    return next((param for param in method.params if param.name == SAMPLES), None)


def allowed_samples(
    method: MethodSpec, params: Mapping[str, Any], budget: int, rows: int, width: int, known: int = 0, around: int = 1
) -> int:
    """Samples that each row may take of a job's budget, which its rows share evenly; `params` may ask for less.

    `budget`: model evaluations of the whole job. `width`: baselines of a row. `known`: samples it has had in an earlier job.
    `around`: baselines whose outputs are asked for at first, which may be more than `width`.
    """
    of_row = budget // rows
    own = of_row - 1 - width if method.one_baseline else of_row // width
    if not known and not method.one_baseline and around > width:
        own = 2 + (of_row - 1 - around) // width  # of these two, the baseline costs more than the others
    if known and not method.one_baseline:
        own += 2  # the instance and its baseline are counted as samples, and are known
    return min(int(params[SAMPLES]), known + own)
