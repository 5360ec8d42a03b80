"""A series: the line of its values on a ground coloured by each step's attribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.figures import theme, words
from explainery.figures.colours import ANCHORS, INK
from explainery.figures.figure import Cell, Figure
from explainery.figures.scales import limit_of
from explainery.figures.subject import Piece, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "series", "A series as a line, each step coloured by its attribution"
MOST_CHANNELS = 6
MOST_STEPS = 400
MOST_ROWS = 500
WIDTH, HEIGHT = 620, 110


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _piece(subject) else "it needs an attribution of a series, step by step"


def draw(subject: Subject) -> Figure:
    """Draw the channels that matter most, each on its own scale."""
    piece = _piece(subject)
    if piece is None:
        raise ValueError("not a series")
    amounts = by_channel(piece.values, piece)
    given = None if piece.given is None or isinstance(piece.given, bytes) else by_channel(piece.given, piece)
    if given is not None and given.shape != amounts.shape:
        given = None
    order = sorted(range(len(amounts)), key=lambda channel: -abs(amounts[channel]).sum())[:MOST_CHANNELS]
    shown = sorted(order)
    notes = _notes(amounts, shown, given is not None)
    reading, title = _reading(subject, amounts), words.headline(subject)
    spec = theme.framed(title, reading, WIDTH, _chart(subject, amounts, given, shown))
    columns = ("channel", "step", "value", "attribution")
    return Figure(NAME, title, reading, columns, _rows(amounts, given), spec, notes=(*notes, *subject.notes))


def by_channel(values: NDArray[Any], piece: Piece) -> NDArray[Any]:
    """[channels, time] of one row."""
    if values.ndim == 1:
        return values[None]
    return values if piece.spec is not None and piece.spec.layout == "NCT" else values.T


def _piece(subject: Subject) -> Piece | None:
    for piece in subject.pieces:
        if piece.modality == "series" and piece.layer is None and piece.values.ndim in (1, 2) and piece.features is None:
            return piece
    return None


def _reading(subject: Subject, amounts: NDArray[Any]) -> str:
    import numpy as np

    channel, step = np.unravel_index(int(np.abs(amounts).argmax()), amounts.shape)
    where = f"step {step}" + (f" of channel {channel}" if len(amounts) > 1 else "")
    output = words.amount(subject, subject.instance_output)
    return (
        f"For the {words.outcome(subject)} of {output}, the step that matters most is {where} "
        f"({words.signed(float(amounts[channel, step]))}); all steps come to {words.signed(float(amounts.sum()))}."
    )


def _notes(amounts: NDArray[Any], shown: list[int], kept: bool) -> list[str]:
    notes = [] if kept else ["The values are not drawn: the job's inputs are not kept."]
    if len(shown) < len(amounts):
        notes.append(f"Drawn are the {len(shown)} of {len(amounts)} channels that matter most.")
    if amounts.shape[1] > MOST_STEPS:
        notes.append(f"Each drawn step stands for {_stride(amounts)}: values are averaged, amounts summed.")
    return notes


def _rows(amounts: NDArray[Any], given: NDArray[Any] | None) -> tuple[tuple[Cell, ...], ...]:
    import numpy as np

    order = np.argsort(-np.abs(amounts).reshape(-1), kind="stable")[:MOST_ROWS]
    places = [(int(place) // amounts.shape[1], int(place) % amounts.shape[1]) for place in order]
    values = [None if given is None else float(given[place]) for place in places]
    return tuple((*place, value, float(amounts[place])) for place, value in zip(places, values, strict=True))


def _stride(amounts: NDArray[Any]) -> int:
    return max(1, -(-int(amounts.shape[1]) // MOST_STEPS))


def _chart(subject: Subject, amounts: NDArray[Any], given: NDArray[Any] | None, shown: list[int]) -> dict[str, Any]:
    import numpy as np

    stride = _stride(amounts)
    starts = np.arange(0, amounts.shape[1], stride)
    summed = np.add.reduceat(amounts, starts, axis=1)
    means = (
        None if given is None else np.add.reduceat(given.astype(float), starts, axis=1) / np.diff([*starts, amounts.shape[1]])
    )
    limit, beyond = limit_of(summed)
    panels = [
        _panel(
            subject,
            channel,
            summed[channel],
            None if means is None else means[channel],
            stride,
            limit,
            last=channel == shown[-1],
        )
        for channel in shown
    ]
    if len(amounts) == 1:
        panels[0]["height"] = 2 * HEIGHT
    ends = " (ends stand for all beyond)" if beyond else ""
    panels[0]["layer"][0]["encoding"]["color"]["legend"]["title"] = f"{words.colour_title(subject)}{ends}"
    return {"vconcat": panels, "spacing": 10, "resolve": {"scale": {"x": "shared", "color": "shared"}}}


def _panel(
    subject: Subject, channel: int, amounts: NDArray[Any], values: NDArray[Any] | None, stride: int, limit: float, *, last: bool
) -> dict[str, Any]:
    data = [
        {
            "step": place * stride,
            "until": min(place + 1.1, len(amounts)) * stride,  # a little under the next one's: no seams
            "middle": (place + 0.5) * stride,
            "amount": float(amount),
            "value": None if values is None else float(values[place]),
            "said": f"channel {channel}, step {place * stride}: {float(amount)!r}",
        }
        for place, amount in enumerate(amounts)
    ]
    axis = {"title": "time step", "grid": False, "labels": last, "tickMinStep": 1}
    axis = axis if last else axis | {"title": None, "ticks": False}
    x = {"field": "step", "type": "quantitative", "axis": axis, "scale": {"nice": False}}
    legend = {"orient": "top", "gradientLength": 300, "titleLimit": 0, "format": ".4~g", "values": [-limit, 0, limit]}
    scale = {"domain": [-limit, limit], "range": list(ANCHORS), "clamp": True, "interpolate": "rgb"}
    ground = {
        "mark": {"type": "rect"},
        "encoding": {
            "x": x, "x2": {"field": "until"},
            "color": {"field": "amount", "type": "quantitative", "scale": scale, "legend": legend},
            "description": {"field": "said", "type": "nominal"},
        },
    }  # fmt: skip
    field = "amount" if values is None else "value"
    named = ("attribution" if values is None else "value") + (f" {channel}" if channel or not last else "")
    y = {
        "field": field,
        "type": "quantitative",
        "axis": {"title": named, "grid": False, "tickCount": 4},
        "scale": {"zero": False},
    }
    where = {"x": {"field": "middle", "type": "quantitative"}, "y": y}
    halo = {"mark": {"type": "line", "color": "white", "strokeWidth": 4, "aria": False}, "encoding": where}
    line = {"mark": {"type": "line", "color": INK, "strokeWidth": 1.6, "aria": False}, "encoding": where}
    return {"width": WIDTH, "height": HEIGHT, "data": theme.values(data), "layer": [ground, halo, line]}
