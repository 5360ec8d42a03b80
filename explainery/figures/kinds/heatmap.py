"""An image's attribution: the picture, the attribution in colours that can be read back, and both over each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from explainery.figures import words
from explainery.figures.canvas import Canvas
from explainery.figures.colours import colours
from explainery.figures.figure import Cell, Figure
from explainery.figures.picture import channels_last, seen
from explainery.figures.pixels import block_of, data_url, enlarged, factor_of, reduced
from explainery.figures.scales import limit_of
from explainery.figures.subject import Piece, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "heatmap", "The attribution over an image"
SIDE = 256
"""Pixels of a panel's longer side, about."""
LEAST_SIDE = 160
MOST_ROWS = 100
_PATCH = re.compile(r"patch (\d{1,4}),(\d{1,4})")
LEAST_VEIL, MOST_VEIL = 0.1, 0.9
"""How much of the attribution's colour lies over the picture, where it is weakest and strongest."""


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _pieces(subject) else "it needs an attribution with a height and a width"


def draw(subject: Subject) -> Figure:
    """Draw the first image of the row. Channels are summed, as attributions may be."""
    piece = _pieces(subject)[0]
    amounts, channels = _summed(piece)
    height, width = amounts.shape
    limit, beyond = limit_of(amounts)
    notes = [f"The amounts of the {channels} channels are summed per pixel."] if channels > 1 else []
    if beyond:
        notes.append(f"Colours end at ±{words.number(limit)}; the 0.5 % of pixels beyond are drawn as the ends are.")
    picture = seen(piece, height, width)
    if picture is None:
        notes.append("The picture itself is not shown: the job's inputs are not kept, or are no picture of this size.")
    block = block_of(height, width)
    if block > 1:
        notes.append(f"Each drawn pixel is the mean of {block} by {block} of the {height} by {width}.")
    reading = _reading(subject, amounts)
    title = words.headline(subject)
    canvas = _canvas(subject, amounts, picture, limit, block, beyond)
    spec = canvas.spec(title, reading)
    columns = ("line", "column", "attribution")
    return Figure(NAME, title, reading, columns, _rows(amounts), spec, notes=(*notes, *subject.notes))


def _pieces(subject: Subject) -> list[Piece]:
    return [piece for piece in subject.pieces if piece.layer is None and _summed_or_none(piece) is not None]


def _summed(piece: Piece) -> tuple[NDArray[Any], int]:
    found = _summed_or_none(piece)
    if found is None:
        raise ValueError("not an image")
    return found


def _summed_or_none(piece: Piece) -> tuple[NDArray[Any], int] | None:
    """[height, width], and how many channels were summed."""
    values = piece.values
    patches = _patches(piece)
    if patches is not None:
        return patches, 1
    if piece.spec is not None and piece.modality == "image":
        last = channels_last(values, piece.spec)
        if last is not None:
            return last.sum(axis=-1), last.shape[-1]
    if values.ndim == 2 and piece.modality in ("image", "tensor") and min(values.shape) > 1:
        return values, 1
    if values.ndim == 3 and piece.modality in ("image", "tensor") and min(values.shape[1:]) > 1:
        return values.sum(axis=0), values.shape[0]
    return None


def _patches(piece: Piece) -> NDArray[Any] | None:
    """[rows, columns] of a grid of patches that played as features."""
    import numpy as np

    places = [_PATCH.fullmatch(name) for name in piece.features or ()]
    if piece.modality != "image" or not places or not all(places) or len(places) != piece.values.size:
        return None
    where = np.array([(int(found[1]), int(found[2])) for found in places if found])
    shape = where.max(axis=0) + 1
    if shape.prod() != len(where) or len(np.unique(where, axis=0)) != len(where):  # a client may name features as it likes
        return None
    grid = np.zeros(shape)
    grid[where[:, 0], where[:, 1]] = piece.values.reshape(-1)
    return grid


def _reading(subject: Subject, amounts: NDArray[Any]) -> str:
    import numpy as np

    raised, lowered = float(amounts[amounts > 0].sum()), float(amounts[amounts < 0].sum())
    line, column = np.unravel_index(int(np.abs(amounts).argmax()), amounts.shape)
    strongest = f"line {line + 1}, column {column + 1} ({words.signed(float(amounts[line, column]))})"
    output = words.amount(subject, subject.instance_output)
    named = ("pixels that speak for it", "those against it") if subject.contributes else ("positive pixels", "negative ones")
    return (
        f"For the {words.outcome(subject)} of {output}, {named[0]} come to {words.signed(raised)} and {named[1]} to "
        f"{words.number(lowered)}; the strongest is at {strongest}."
    )


def _rows(amounts: NDArray[Any]) -> tuple[tuple[Cell, ...], ...]:
    import numpy as np

    flat = amounts.reshape(-1)
    order = np.argsort(-np.abs(flat), kind="stable")
    rows: list[tuple[Cell, ...]] = [
        (int(place) // amounts.shape[1] + 1, int(place) % amounts.shape[1] + 1, float(flat[place]))
        for place in order[:MOST_ROWS]
    ]
    rest = order[MOST_ROWS:]
    return (*rows, (f"{len(rest)} others", None, float(flat[rest].sum()))) if len(rest) else tuple(rows)


def _canvas(
    subject: Subject, amounts: NDArray[Any], picture: NDArray[Any] | None, limit: float, block: int, beyond: bool
) -> Canvas:
    import numpy as np

    small = reduced(amounts, block)
    drawn = colours(small, limit)
    panels = [("attribution", drawn)]
    if picture is not None:
        picture = np.rint(reduced(picture.astype(np.float64), block)).astype(np.uint8)
        grey = picture.mean(axis=-1, keepdims=True)
        veil = (LEAST_VEIL + (MOST_VEIL - LEAST_VEIL) * np.clip(np.abs(small) / limit, 0, 1) ** 0.5)[..., None]
        veiled = np.rint(veil * drawn + (1 - veil) * grey).astype(np.uint8)
        panels = [("picture", picture), *panels, ("both", veiled)]
    height, width = small.shape
    factor = factor_of(height, width, SIDE)
    step = max(width * factor, LEAST_SIDE) + 18
    canvas = Canvas()
    for place, (name, pixels) in enumerate(panels):
        canvas.text(place * step, 8, name)
        url = data_url(enlarged(pixels, factor))
        canvas.image(place * step, 20, width * factor, height * factor, url, f"{name}, {height} by {width} pixels")
    canvas.legend(0, height * factor + 36, limit, words.colour_title(subject), beyond=beyond)
    return canvas
