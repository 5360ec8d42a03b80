"""Every kind there is, which of them fit a row of a result, and drawing one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from explainery.contract.errors import FigureUnfit, UnknownFigure

if TYPE_CHECKING:
    from explainery.figures.figure import Figure
    from explainery.figures.subject import Subject

AUTO = "auto"
REPORTS = ("layers", "curves", "changes", "rule", "importance")
"""Kinds that draw what a method found for the job as a whole."""
KINDS = (
    *REPORTS, "picture", "heatmap", "tokens", "series", "waterfall", "bars", "interactions", "removal", "attention",
    "activations",
)  # fmt: skip
"""Each is a file in `kinds`."""


class Kind(Protocol):
    """A file of `kinds`."""

    NAME: str
    TITLE: str

    def unfit(self, subject: Subject) -> str | None:
        """Say why the kind does not fit, None when it does."""

    def draw(self, subject: Subject) -> Figure:
        """Draw the subject, which fits."""


def kind_of(name: str) -> Kind:
    """The kind of a name. Raises UnknownFigure."""
    if name not in KINDS:
        raise UnknownFigure(f"There is no kind of figure of that name; there are: {', '.join((AUTO, *KINDS))}")
    return cast(Kind, import_module(f"explainery.figures.kinds.{name}"))


def fitting(subject: Subject) -> list[str]:
    """Names of the kinds that fit."""
    return [name for name in KINDS if kind_of(name).unfit(subject) is None]


def draw(name: str, subject: Subject) -> Figure:
    """The figure of that kind, or with "auto" of the one that says most. Raises UnknownFigure, FigureUnfit."""
    kind = kind_of(best(subject) if name == AUTO else name)
    reason = kind.unfit(subject)
    if reason is not None:
        fits = ", ".join(fitting(subject)) or "none"
        raise FigureUnfit(f"{kind.NAME} does not fit this result: {reason}. Kinds that fit: {fits}")
    return kind.draw(subject)


def best(subject: Subject) -> str:
    """What says most about the row: a report or a map where the method made one, else what fits the input's modality."""
    return next((name for name in _wishes(subject) if kind_of(name).unfit(subject) is None), "bars")


def _wishes(subject: Subject) -> tuple[str, ...]:
    modality = next((piece.modality for piece in subject.pieces if piece.layer is None), None)
    by_modality = {"image": ("heatmap",), "text": ("tokens",), "series": ("series",), "tabular": ("waterfall",)}
    wishes = (*REPORTS, "picture", *by_modality.get(modality or "", ()), "attention", "activations", "tokens", "bars")
    return tuple(name for name in wishes if name in KINDS)
