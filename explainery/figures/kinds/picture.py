"""The input that gradient ascent made: as a picture where it is one, else in colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.figures import words
from explainery.figures.canvas import Canvas
from explainery.figures.colours import colours
from explainery.figures.figure import Figure
from explainery.figures.picture import visible
from explainery.figures.pixels import block_of, data_url, enlarged, factor_of, reduced
from explainery.figures.scales import limit_of
from explainery.figures.subject import Map, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "picture", "The input that excites what was asked for, made by gradient ascent"
SIDE = 320


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _maps(subject) else "it needs the picture of activation_maximization"


def draw(subject: Subject) -> Figure:
    """Draw it."""
    import numpy as np

    found = _maps(subject)[0]
    values = found.values
    score = words.amount(subject, subject.instance_output)
    reading = (
        f"This input brings the {words.outcome(subject)} to {score}; its numbers go from {words.number(float(values.min()))} "
        f"to {words.number(float(values.max()))}."
    )
    title = f"{subject.model}: an input for the {words.outcome(subject)}, by {subject.method.replace('_', ' ')}"
    pixels = _pixels(subject, values)
    canvas = Canvas()
    shown = pixels if pixels is not None else colours(_flat(values), limit_of(values)[0])
    block = block_of(shown.shape[0], shown.shape[1])
    small = np.rint(reduced(shown.astype(np.float64), block)).astype(np.uint8)
    factor = factor_of(small.shape[0], small.shape[1], SIDE)
    height, width = small.shape[0] * factor, small.shape[1] * factor
    canvas.image(
        0, 0, width, height, data_url(enlarged(small, factor)), f"{words.outcome(subject)}: {subject.instance_output!r}"
    )
    if pixels is None:
        canvas.legend(0, height + 14, limit_of(values)[0], "blue is positive, red is negative; channels are averaged")
    channels = values.reshape(values.shape[0] if values.ndim == 3 else 1, -1)
    rows = tuple((place, float(one.mean()), float(one.min()), float(one.max())) for place, one in enumerate(channels))
    if values.ndim == 3 and _layout(subject) == "NHWC":
        channels = values.reshape(-1, values.shape[-1]).T
        rows = tuple((place, float(one.mean()), float(one.min()), float(one.max())) for place, one in enumerate(channels))
    columns = ("channel", "mean", "least", "most")
    return Figure(NAME, title, reading, columns, rows, canvas.spec(title, reading), notes=subject.notes)


def _maps(subject: Subject) -> list[Map]:
    return [entry for entry in subject.maps if entry.name == "picture" and entry.values.ndim in (2, 3) and entry.values.size]


def _pixels(subject: Subject, values: NDArray[Any]) -> NDArray[Any] | None:
    for spec in subject.card.inputs if subject.card else ():
        if spec.modality == "image" and len(spec.row_shape) == values.ndim:
            return visible(values, spec)
    return None


def _layout(subject: Subject) -> str | None:
    return next((spec.layout for spec in subject.card.inputs if spec.modality == "image"), None) if subject.card else None


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    flat: NDArray[Any] = values if values.ndim == 2 else values.mean(axis=0)
    return flat
