"""What is wrong with layers, in words and with the numbers behind it. Pure: figures in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from workers.figures import LayerFigures
from workers.initialisation import expected, fault
from workers.whole import WeightFigures

DEAD_SHARE = 0.5
"""Of a layer's units: when most never answer, the layer is much larger than what it does."""
ROWS_FOR_A_SHARE = 32
"""A healthy rectifier is zero on about half of all rows, so on so many its silence is no accident (2^-32)."""
SATURATED_SHARE = 0.75
"""Of a layer's outputs: three in four lie where the slope is under a twentieth of its largest (Glorot & Bengio, AISTATS 2010,
see layers of their deep tanh and sigmoid nets go there and stop learning)."""
VANISHING = 1e-4
"""Of the gradient's norm at the output's end: with one learning rate for all, such a layer learns ten thousand times slower."""
EXPLODING = 1e4
"""The same the other way: one step for the last layers is ten thousand for this one."""
SMALLEST = 1e-30
"""Gradients under this are none: single precision ends soon after."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `figures`: the numbers that say so, and the threshold they crossed."""

    layer: str
    kind: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As the report has it."""
        return asdict(self)


def of_weights(weights: Sequence[WeightFigures]) -> Iterator[Finding]:
    """Weights whose scale or values are wrong, and modules that nothing reads."""
    for each in weights:
        if each.used and (wrong := fault(each)) is not None:
            figures = {"parameter": each.name, "std": each.std, "mean": each.mean, "low": each.low, "high": each.high}
            fans = {"fan_in": each.fan_in, "fan_out": each.fan_out, "expected_std": expected(each)} if each.fan_in else {}
            kind = "bad_initialisation" if each.finite else "not_finite"
            yield Finding(each.layer, kind, f"{each.name} of {each.layer} {wrong}.", figures | fans)
    yield from _never_used(weights)


def _never_used(weights: Sequence[WeightFigures]) -> Iterator[Finding]:
    """The outermost modules of which no array is read."""
    read = {each.layer for each in weights if each.used}
    unread = sorted({each.layer for each in weights} - read)
    told: list[str] = []
    for layer in unread:
        top = _outermost(layer, read)
        if top not in told:
            told.append(top)
            numbers = sum(_size(each) for each in weights if each.layer == top or each.layer.startswith(f"{top}."))
            text = f"{top} is part of the model, but computing the output never reads it."
            yield Finding(top, "never_used", text, {"parameters": numbers})


def _outermost(layer: str, read: set[str]) -> str:
    """The largest module around a layer in which nothing is read."""
    parts = layer.split(".")
    for count in range(1, len(parts)):
        around = ".".join(parts[:count])
        if not any(other == around or other.startswith(f"{around}.") for other in read):
            return around
    return layer


def _size(figures: WeightFigures) -> int:
    size = 1
    for length in figures.shape:
        size *= length
    return size


def of_activations(layers: Sequence[LayerFigures], rows: int) -> Iterator[Finding]:
    """Layers that are dead, saturated or not finite. Of layers in a row that are all zero the first is named.

    What lies before all that was learned hands the inputs on, which may well be zeros; a layer that never changes says nothing
    about its units.
    """
    dead_before = learned = False
    for place, each in enumerate(layers):
        learned = learned or each.layer.parameters > 0
        if each.not_finite:
            yield _not_finite(each)
            return  # whatever comes behind it is not finite for that reason
        dead = each.dead if each.known and learned else 0.0
        if dead == 1.0 and not dead_before:
            yield Finding(each.layer.path, "dead", f"{each.layer.path} is zero for every row.", _dead_figures(each, rows))
        elif DEAD_SHARE < dead < 1.0 and rows >= ROWS_FOR_A_SHARE and not each.constant:
            text = f"{dead:.0%} of the units of {each.layer.path} are zero for every row."
            yield Finding(each.layer.path, "dead", text, _dead_figures(each, rows) | {"threshold": DEAD_SHARE})
        dead_before = dead == 1.0
        last = place == len(layers) - 1  # a probability may well be near 0 or 1
        if each.saturated is not None and each.saturated > SATURATED_SHARE and not last:
            text = f"{each.saturated:.0%} of what {each.layer.path} puts out lies where {each.layer.type} has levelled off."
            figures = {"saturated": each.saturated, "threshold": SATURATED_SHARE}
            yield Finding(each.layer.path, "saturated", text, figures)


def _dead_figures(each: LayerFigures, rows: int) -> dict[str, Any]:
    return {"dead_share": each.dead, "units": len(each.highest), "rows": rows}


def _not_finite(each: LayerFigures) -> Finding:
    text = f"{each.layer.path} is the first layer that puts out NaN or infinity."
    return Finding(each.layer.path, "not_finite", text, {"share": each.not_finite / each.count})


def of_gradients(layers: Sequence[LayerFigures]) -> Iterator[Finding]:
    """Stretches of layers where the score's gradient is very small, or large, beside that at the last layer."""
    on_the_way = [each for each in layers if each.slope is not None]
    reference = next((each.slope for each in reversed(on_the_way) if each.slope), None)
    if reference is None:
        return
    for kind, group in groupby(on_the_way, key=lambda each: _kind(each.slope or 0.0, reference)):
        stretch = list(group)
        if kind is None:
            continue
        slopes = [each.slope or 0.0 for each in stretch]
        worst = min(slopes) if kind == "vanishing" else max(slopes)
        first, last = stretch[0].layer.path, stretch[-1].layer.path
        where = first if len(stretch) == 1 else f"{first} to {last}"
        figures = {
            "from": first, "to": last, "layers": len(stretch), "norm": worst, "norm_at_the_end": reference,
            "ratio": worst / reference, "threshold": VANISHING if kind == "vanishing" else EXPLODING,
        }  # fmt: skip
        yield Finding(first, kind, f"The score's gradient {_words(kind, worst, reference)} at {where}.", figures)


def _kind(slope: float, reference: float) -> str | None:
    if slope < VANISHING * reference:
        return "vanishing"
    return "exploding" if slope > EXPLODING * reference else None


def _words(kind: str, worst: float, reference: float) -> str:
    if worst <= SMALLEST:
        return "does not arrive"
    return f"is {worst / reference:.2g} times as large as at the output's end ({kind})"
