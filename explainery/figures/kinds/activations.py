"""A layer's channels as a grid of small maps, those that matter most first to last in their own order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.figures import words
from explainery.figures.canvas import Canvas
from explainery.figures.colours import colours
from explainery.figures.figure import Figure
from explainery.figures.pixels import block_of, data_url, enlarged, factor_of, reduced
from explainery.figures.scales import limit_of
from explainery.figures.subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "activations", "A layer's channels as small maps"
MOST_MAPS = 36
SIDE, GAP, TITLE_HEIGHT = 88, 14, 18
ACROSS = 6
NOT_MAPS = ("head", "query", "key")


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _stacks(subject) else "it needs a layer's attribution or map with a height and a width"


def draw(subject: Subject) -> Figure:
    """Draw the channels of the first layer, with the largest amounts."""
    import numpy as np

    name, maps = _stacks(subject)[0]
    sizes = np.abs(maps).mean(axis=(1, 2))
    chosen = sorted(np.argsort(-sizes, kind="stable")[:MOST_MAPS].tolist())
    limit, beyond = limit_of(maps)
    rows = tuple(
        (channel, float(maps[channel].mean()), float(maps[channel].min()), float(maps[channel].max()))
        for channel in range(len(maps))
    )
    reading = _reading(name, rows, int(sizes.argmax()))
    notes = [f"Drawn are the {len(chosen)} of {len(maps)} channels that are strongest."] if len(chosen) < len(maps) else []
    if beyond:
        notes.append(f"Colours end at ±{words.number(limit)}; the 0.5 % beyond are drawn as the ends are.")
    title = f"{words.headline(subject)}, layer {words.short(name, 40)}"
    spec = _canvas(maps, chosen, limit, beyond).spec(title, reading)
    return Figure(NAME, title, reading, ("channel", "mean", "least", "most"), rows, spec, notes=(*notes, *subject.notes))


def _stacks(subject: Subject) -> list[tuple[str, NDArray[Any]]]:
    """Name and [channels, height, width] of everything that is a stack of maps."""
    found = [(piece.layer, piece.values) for piece in subject.pieces if piece.layer]
    for entry in subject.maps:
        if entry.layer and not set(entry.axes) & set(NOT_MAPS):
            found.append((entry.layer, entry.values))
    stacks = [(name, values[None] if values.ndim == 2 else values) for name, values in found if values.ndim in (2, 3)]
    return [(name, values) for name, values in stacks if min(values.shape[1:]) > 1]


def _reading(name: str, rows: tuple[tuple[int, float, float, float], ...], strongest: int) -> str:
    _, mean, least, most = rows[strongest]
    span = f"from {words.number(least)} to {words.signed(most)}"
    if len(rows) == 1:
        return f"The map of {words.short(name)} goes {span}, with a mean of {words.signed(mean)}."
    told = f"channel {strongest} is strongest (mean {words.signed(mean)}, {span})"
    return f"Of the {len(rows)} channels of {words.short(name)}, {told}."


def _canvas(maps: NDArray[Any], chosen: list[int], limit: float, beyond: bool) -> Canvas:
    canvas = Canvas()
    side = SIDE if len(chosen) > 4 else 2 * SIDE
    block = block_of(*maps.shape[1:])
    height, width = reduced(maps[0], block).shape
    factor = factor_of(height, width, side)
    scale = min(1.0, side / (factor * max(height, width)))
    across, down = factor * width * scale, factor * height * scale
    step_x, step_y = max(across, 74.0) + GAP, down + GAP + TITLE_HEIGHT
    for place, channel in enumerate(chosen):
        x, y = place % ACROSS * step_x, place // ACROSS * step_y
        pixels = colours(reduced(maps[channel], block), limit)
        canvas.text(x, y + 8, f"channel {channel}" if len(maps) > 1 else "map")
        said = f"channel {channel}, mean: {float(maps[channel].mean())!r}"
        canvas.image(x, y + TITLE_HEIGHT, across, down, data_url(enlarged(pixels, factor)), said)
    below = -(-len(chosen) // ACROSS) * step_y
    canvas.legend(0, below + 4, limit, "blue is positive, red is negative", beyond=beyond)
    return canvas
