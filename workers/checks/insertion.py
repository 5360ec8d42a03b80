"""Insertion: how fast the output rises when players are given to the baseline, those with the largest attributions first."""

from __future__ import annotations

from explainery.contract.catalogue import CheckSpec
from workers import curves
from workers.game import Params
from workers.recheck import Checking, Subject

SPEC = CheckSpec(
    name="insertion",
    title="Insertion curve",
    summary=(
        "The output while players come to the baseline, the largest attributions first, and the area under it beside that of "
        "random orders: `advantage` is how many of their standard deviations it is larger by."
    ),
    params=curves.PARAMS,
    reference="Petsiuk, Das & Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018",
)
cost = curves.cost


def check(subject: Subject, params: Params) -> Checking:
    """Check one explanation."""
    return (yield from curves.compared(subject, params, deletes=False))
