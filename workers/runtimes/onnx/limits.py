"""Bounds on what a file may make us do. A graph of a few bytes can ask for 10^10 numbers or 2^62 turns of a loop."""

from __future__ import annotations

import math
from collections.abc import Iterable

from workers.runtimes.onnx.refusal import Untranslatable

MAX_ELEMENTS = 1 << 28
"""Of any tensor that an operator makes larger than its inputs (1 GiB in single precision)."""
MAX_FOLDED = 1 << 12
"""Elements of a constant that is computed while translating: shapes, axes, pads."""
MAX_TURNS = 10_000
"""Of a Loop or Scan."""
MAX_NODES = 50_000
"""Of a graph after its functions were expanded."""
MAX_DEPTH = 8
"""Of graphs within graphs."""


class TooLarge(ValueError):
    """An operator asks for more than the bounds allow while the graph runs."""


def sized(shape: Iterable[int], op: str) -> list[int]:
    """The shape, as a list. Raises TooLarge beyond MAX_ELEMENTS."""
    sizes = [int(size) for size in shape]
    if math.prod(max(size, 0) for size in sizes) > MAX_ELEMENTS:
        raise TooLarge(f"{op} makes a tensor of more than {MAX_ELEMENTS} elements")
    return sizes


def turns(count: int, op: str) -> int:
    """The number of turns. Raises TooLarge beyond MAX_TURNS."""
    if count > MAX_TURNS:
        raise TooLarge(f"{op} makes more than {MAX_TURNS} turns")
    return count


def check_nodes(count: int) -> None:
    """Raise Untranslatable beyond MAX_NODES."""
    if count > MAX_NODES:
        raise Untranslatable(f"the graph has more than {MAX_NODES} nodes")
