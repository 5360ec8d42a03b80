"""Parameters that mean the same in several methods, described once."""

from __future__ import annotations

from explainery.contract.catalogue import Param

FEATURES = Param(
    name="features",
    type="features",
    default=None,
    help=(
        'Groups of inputs that move together: "elements", {"grid": sizes}, {"window": steps}, {"groups": {name: [features]}}, '
        '"tokens", "words", "sentences" (of a text) or {"labels": integers shaped like one row}.'
        " Not given: the modality's own groups."
    ),
)
