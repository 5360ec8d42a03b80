"""Deletion: how fast the output falls when players are taken away, those with the largest attributions first."""

from __future__ import annotations

from explainery.contract.catalogue import CheckSpec
from workers import curves
from workers.game import Params
from workers.recheck import Checking, Subject

SPEC = CheckSpec(
    name="deletion",
    title="Deletion curve",
    summary=(
        "The output while players take the baseline's value, the largest attributions first, and the area under it beside "
        "that of random orders: `advantage` is how many of their standard deviations it is smaller by, `kept` what share that "
        "is of what the attributions promise."
    ),
    params=curves.PARAMS,
    reference=(
        "Petsiuk, Das & Saenko, RISE, BMVC 2018; Samek, Binder, Montavon, Lapuschkin & Müller, Evaluating the Visualization of "
        "What a Deep Neural Network Has Learned, 2017"
    ),
)
cost = curves.cost


def check(subject: Subject, params: Params) -> Checking:
    """Check one explanation."""
    return (yield from curves.compared(subject, params, deletes=True))
