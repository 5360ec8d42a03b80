"""Rows in stretches of a bounded length: from tables of pandas and polars, which need not be installed, and from iterators."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from explainery.contract.errors import InvalidInput

Stretch = tuple[list[Any], "list[Any] | None"]
"""Rows as a request has them, and what they are called where they came from (the index of a table)."""


@dataclass(frozen=True)
class Awaited:
    """Rows that come asynchronously, to be gathered `size` at a time."""

    rows: AsyncIterator[Any]
    size: int


def is_table(inputs: Any) -> bool:
    """Whether something is a table with named columns, by what it can do: pandas has `iloc`, polars `iter_rows`."""
    return hasattr(inputs, "columns") and (hasattr(inputs, "iloc") or hasattr(inputs, "iter_rows"))


def stretches(rows: Any, size: int) -> tuple[Iterator[Stretch] | Awaited, int | None]:
    """Stretches of at most `size` rows, and how many rows there are, where that is known."""
    count: int | None = len(rows) if hasattr(rows, "__len__") else None
    if is_table(rows):
        return parts_of_table(rows, size), count
    if isinstance(rows, AsyncIterable):
        return Awaited(aiter(rows), size), None
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise InvalidInput("explain_many takes a table, an array, or an iterator of rows; columns by name make a DataFrame")
    return _cut(iter(rows), size), count


def parts_of_table(table: Any, size: int) -> Iterator[Stretch]:
    """Stretches of a table, each row an object by column."""
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        raise InvalidInput("The columns of the table need names that differ")
    for start in range(0, len(table), size):
        part = table.iloc[start : start + size] if hasattr(table, "iloc") else table[start : start + size]
        cells = part.itertuples(index=False, name=None) if hasattr(table, "iloc") else part.iter_rows()
        labels = part.index.tolist() if hasattr(part, "index") else None
        yield [dict(zip(names, map(_plain, row), strict=True)) for row in cells], labels


def _cut(rows: Iterator[Any], size: int) -> Iterator[Stretch]:
    while stretch := [_plain(row) for row in islice(rows, size)]:
        yield stretch, None


def _plain(value: Any) -> Any:
    """What JSON can write, of NumPy's arrays and numbers."""
    return value.tolist() if hasattr(value, "tolist") else value
