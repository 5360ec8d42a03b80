"""A progress bar for many rows: tqdm's where it is installed, or the caller's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Told = Callable[[int], Any]
"""Called with how many rows more are done."""


@contextmanager
def teller(progress: bool | Callable[[int, int | None], None], total: int | None) -> Iterator[Told]:
    """What is told of each row that is done. On a terminal or in a notebook only, unless it is the caller's."""
    if callable(progress):
        yield _calling(progress, total)
        return
    bar = _bar(total) if progress else None
    if bar is None:
        yield lambda more: None
        return
    with bar:
        yield bar.update


def _calling(progress: Callable[[int, int | None], None], total: int | None) -> Told:
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    return tell


def _bar(total: int | None) -> Any:
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError:
        return None
    in_a_notebook = "ipykernel" in sys.modules
    return tqdm(total=total, unit="row", disable=False if in_a_notebook else None)
