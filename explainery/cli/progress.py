"""A progress bar, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from explainery.contract.job import Job


@contextmanager
def bar() -> Iterator[Callable[[Job], None] | None]:
    """Give a callback that draws each change of a job on standard error; None when that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("queued", total=None)

        def draw(job: Job) -> None:
            done, total = (job.progress.done, job.progress.total) if job.progress else (0, None)
            progress.update(task, description=str(job.status), completed=done, total=total or None)

        yield draw
