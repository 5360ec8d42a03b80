"""A figure: one sentence, a table of numbers, and a Vega-Lite spec that browser, SVG and PNG share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Cell = str | float | int | None


@dataclass(frozen=True)
class Figure:
    """One figure. `reading`: what it says, in a sentence with real numbers. `columns`, `rows`: the numbers, unrounded.

    `spec`: a Vega-Lite 5 spec that needs nothing from elsewhere. `html`: the same for a page, where that is the better form.
    `notes`: what was left out, summed or scaled.
    """

    kind: str
    title: str
    reading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    spec: dict[str, Any]
    html: str | None = None
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The figure as the wire's JSON object."""
        table = {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}
        told = {"kind": self.kind, "title": self.title, "reading": self.reading, "notes": list(self.notes), "table": table}
        return told | {"spec": self.spec} | ({} if self.html is None else {"html": self.html})
