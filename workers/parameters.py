"""Parameters that mean the same in several methods, described once."""

from __future__ import annotations

from explainery.contract.catalogue import Param

FEATURES = Param(
    name="features",
    type="features",
    default=None,
    help=(
        'Groups of inputs that move together: "elements", {"grid": sizes}, {"superpixels": count}, {"window": steps}, '
        '{"groups": {name: [features]}}, "tokens", "words", "sentences" or {"labels": integers shaped like one row}.'
        " Not given: the modality's own groups."
    ),
)

TOLERANCE = Param(
    name="tolerance",
    type="number",
    default=0.01,
    unit="share of the attributions' range",
    minimum=0,
    maximum=1,
    help="Stop when the largest standard error is at most this share of the attributions' range; 0: use all samples.",
)

LAYER = Param(
    name="layer",
    type="string",
    default="auto",
    help=(
        'A layer as GET /v1/models/{name}/layers lists it, or "auto": the last that fits; for maps the last convolution, or '
        "what the last attention reads."
    ),
)
EVERY_LAYER = Param(name="layer", type="string", default="auto", help='One layer, or "auto": all that fit.')
UNIT = Param(
    name="unit",
    type="indices",
    default=0,
    help="Index of the unit in the layer's output for one row: a number, or one per axis. A channel's number means its mean.",
)
RELU = Param(name="relu", type="boolean", default=True, help="Keep what speaks for the target only, as the paper does.")
PATH_STEPS = Param(
    name="max_steps",
    type="integer",
    default=64,
    unit="gradient evaluations",
    minimum=2,
    maximum=100_000,
    help="Points of the path from baseline to instance.",
)


def sampling(default: int, spent: str, least: int = 4, most: int = 1_000_000) -> Param:
    """`samples`: what a method may ask that samples coalitions, orders or masks. `spent`: a sentence about what they go to."""
    return Param(
        name="samples",
        type="integer",
        default=default,
        unit="model evaluations",
        minimum=least,
        maximum=most,
        help=f"Model evaluations a row may cost, instance and baseline included. {spent}",
    )
