"""How numbers, features and outputs are written in figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from explainery.figures.places import place_name
from explainery.figures.subject import Piece, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LETTERS = 60
MINUS = "\N{MINUS SIGN}"
PLAIN = 1e6
"""Numbers below this are written without an exponent."""


def number(value: float, digits: int = 4) -> str:
    """Four significant digits, or as many as are asked for; below a million all those before the point."""
    if not math.isfinite(value):
        return str(value)
    written = f"{value:.{digits}g}"
    if "e+" in written and abs(value) < PLAIN:
        written = f"{value:.0f}"
    return written.replace("e-0", "e-").replace("e+0", "e").replace("-", MINUS)


def signed(value: float) -> str:
    """Four significant digits with a sign, where there is one."""
    return number(value) if value <= 0 or not math.isfinite(value) else f"+{number(value)}"


def short(text: str, most: int = MOST_LETTERS) -> str:
    """The text in one line, its middle left out when it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - most // 3 - 1]}…{line[-(most // 3) :]}"


def unit(subject: Subject) -> str:
    """The explained output's unit, or "" where the card names none."""
    return (subject.card.score_output.unit or "") if subject.card and not subject.target.get("link") else ""


def measure(subject: Subject) -> str:
    """What a number of the explained output is: logit, probability, or the output's own name; with its unit."""
    kind = subject.card.score_output.kind if subject.card else ""
    name = {"logits": "logit", "probabilities": "probability"}.get(kind, str(subject.target["output"]))
    if subject.target.get("link"):
        return "margin (log-odds)" if subject.target["link"] == "logistic" else "margin"
    return f"{name} ({unit(subject)})" if unit(subject) else name


def scale_title(subject: Subject) -> str:
    """What an attribution is counted in: the output's own units where they sum to its change, else no unit is claimed."""
    return f"attribution, in {measure(subject)}" if subject.complete else "attribution"


def colour_title(subject: Subject) -> str:
    """What a scale of colours shows: only of shares of the output can it be said that they raise or lower it."""
    signs = "blue raises, red lowers" if subject.contributes else "blue is positive, red is negative"
    return f"{scale_title(subject)}: {signs}"


def outcome(subject: Subject) -> str:
    """What was explained, as a phrase: `logit of "3"`."""
    target = subject.target
    name = measure(subject).partition(" (")[0]
    if target.get("label") is not None:
        return f"{name} of \u201c{short(str(target['label']), 40)}\u201d"
    return name if target.get("index") is None else f"{name} {target['index']}"


def amount(subject: Subject, value: float) -> str:
    """A number of the output with its unit."""
    return f"{number(value)} {unit(subject)}".strip()


def headline(subject: Subject) -> str:
    """The model, the row and the method, for a title."""
    return f"{subject.model}, row {subject.row}: {outcome(subject)} by {subject.method.replace('_', ' ')}"


def feature_name(piece: Piece, place: int) -> str:
    """The name of a piece's element: its own, the card's, else its place."""
    import numpy as np

    names = piece.features or (piece.spec.features if piece.spec else None) or ()
    if len(names) == piece.values.size:
        return str(names[place])
    index = [int(part) for part in np.unravel_index(place, piece.values.shape)]
    layout = piece.spec.layout if piece.spec and piece.layer is None else None
    return place_name(piece.layer or piece.input, index, piece.values.shape, layout)


def feature_value(piece: Piece, place: int) -> str | None:
    """The given value of an element with its unit, or the label it stands for; None where it is not known."""
    given, spec = piece.given, piece.spec
    if given is None or isinstance(given, bytes) or spec is None or spec.modality == "text":
        return None
    name = feature_name(piece, place)
    if piece.features is not None:  # groups: those of one feature have its value
        place = spec.features.index(name) if spec.features and name in spec.features else -1
    elif given.size != piece.values.size:
        return None
    return None if place < 0 else _worded(piece, name, float(given.reshape(-1)[place]))


def feature_unit(subject: Subject, name: str) -> str:
    """The unit of a feature of that name, or "" where the card has none."""
    for spec in subject.card.inputs if subject.card else ():
        units = dict(zip(spec.features or (), spec.units or (), strict=False))
        if units.get(name):
            return units[name]
    return ""


def with_unit(subject: Subject, name: str, most: int = 40) -> str:
    """A feature's name, shortened, and its unit."""
    unit = feature_unit(subject, name)
    return f"{short(name, most)} ({unit})" if unit else short(name, most)


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


def _worded(piece: Piece, name: str, value: float) -> str:
    spec = piece.spec
    if spec is None:
        return number(value)
    labels = spec.categories.get(name, ())
    if labels and 0 <= round(value) < len(labels):
        return labels[round(value)]
    units = dict(zip(spec.features or (), spec.units or (), strict=False))
    return f"{number(value)} {units.get(name, '')}".strip()
