"""The ledger at a glance: the same tables for `status` and `top`, and the document for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from explainery.cli.printing import filled
from explainery.contract.job import JobState

if TYPE_CHECKING:
    from explainery.store.catalogue import WorkerInfo
    from explainery.store.figures import Figures

_RATES = (
    ("admitted", "admitted"),
    ("attached", "attached"),
    ("answered_at_once", "answered at once"),
    ("refused", "refused"),
    ("claimed", "claimed"),
    ("heartbeats", "heartbeats"),
    ("lost_leases", "lost leases"),
    ("retried", "retried"),
    ("stale_writes", "stale writes"),
    ("model_loads", "model loads"),
)


def document(figures: Figures, workers: list[WorkerInfo]) -> dict[str, Any]:
    """Everything that is known, for scripts."""
    told = asdict(figures)
    told["jobs"] = {str(state): count for state, count in figures.jobs.items()}
    told["histograms"] = {
        what: {"buckets": {f"{bound:g}": count for bound, count in times.buckets.items()}, "sum": times.total}
        for what, times in figures.histograms.items()
    }
    told["workers"] = [asdict(worker) for worker in workers]
    return told


def rates(before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> dict[str, float]:
    """How often a second each thing happened between two looks; never negative, for a ledger may be emptied meanwhile."""
    return {what: max(0, count - before.get(what, 0)) / seconds for what, count in after.items()}


def tables(figures: Figures, workers: list[WorkerInfo], per_s: Mapping[str, float] | None = None) -> Iterator[Table]:
    """The tables for people. `per_s`: from `rates`, for a live view."""
    states = [str(state) for state in JobState]
    yield filled(states, [[str(figures.jobs[state]) for state in JobState]], "jobs")
    lines = ((name, str(line.jobs), str(line.groups), f"{line.compute_s:.1f} s") for name, line in figures.lines.items())
    yield filled(("line", "waiting", "models", "estimated compute"), lines, "lines")
    yield filled(("what", "now"), _pace(figures), "queue")
    if per_s is not None:
        yield filled([label for _, label in _RATES], [[f"{per_s.get(what, 0.0):.1f}" for what, _ in _RATES]], "per second")
    if figures.running_of:
        running = sorted(figures.running_of.items(), key=lambda entry: -entry[1])[:10]
        yield filled(("tenant", "running"), ((tenant, str(count)) for tenant, count in running), "tenants")
    columns = ("worker", "device", "memory", "resident models", "alive since")
    yield filled(columns, map(_worker, workers), f"workers ({len(workers)} live, {figures.awake} awake)")


def _pace(figures: Figures) -> Iterator[tuple[str, str]]:
    age = figures.oldest_age_s
    yield "oldest waits", "-" if age is None else f"{age:.1f} s"
    yield "ended, last minute", f"{figures.ended_per_s:.2f} per s"
    yield "inputs", mebibytes(figures.input_bytes)
    yield "memory of Redis", mebibytes(figures.memory_bytes)
    yield "jobs in quarantine", _look_at(figures.quarantined, "jobs")
    yield "models in quarantine", _look_at(figures.models_quarantined, "models")


def _look_at(count: int, what: str) -> str:
    return f"{count}, see `explainery {what} quarantined`" if count else "0"


def _worker(worker: WorkerInfo) -> tuple[str, ...]:
    return worker.id, worker.device, mebibytes(worker.memory_bytes), ", ".join(worker.resident) or "-", worker.started_at


def mebibytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**20:.1f} MiB"
