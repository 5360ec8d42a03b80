"""What elements are called that have no name of their own: by their place."""

from __future__ import annotations

from collections.abc import Sequence


def place_name(name: str, index: Sequence[int], shape: Sequence[int], layout: str | None = None) -> str:
    """A picture's elements as one counts them, from the upper left; others by the input's name and their index.

    `shape`: of one row. `layout`: the card's, rows first.
    """
    axes = (layout or "")[1:]
    if len(axes) != len(index) or not {"H", "W"} <= set(axes):
        return f"{name}[{', '.join(map(str, index))}]"
    place = dict(zip(axes, index, strict=True))
    where = f"line {place['H'] + 1}, column {place['W'] + 1}"
    return f"{where}, channel {place['C'] + 1}" if "C" in axes and shape[axes.index("C")] > 1 else where
