"""The queue's policy at scale: the real Lua on a real Redis, everything else simulated (see `simulation/floor.py`).

`python -m benchmarks.simulate --workers 1000 --models 200 --tenants 500 --jobs 200000 --hours 24` is the full size.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis

from benchmarks.simulation.floor import Floor, Record, Wait
from benchmarks.simulation.own_redis import own_redis
from benchmarks.simulation.traffic import Ask, Scale, traffic
from benchmarks.tables import show
from explainery.settings import Settings

SMALL = Scale(workers=40, models=50, tenants=100, jobs=8_000, hours=0.5, cache=8, utilisation=0.4, seed=0, reap_s=1.0)
FULL = "python -m benchmarks.simulate --workers 1000 --models 200 --tenants 500 --jobs 200000 --hours 24"
KEEP_S = 120
"""How long an ended job is kept, so that the reaper has its work, too."""


def main(argv: Sequence[str] = ()) -> None:
    """Print the tables of one simulation."""
    scale = _scale(argv)
    asks = traffic(scale)
    began = time.perf_counter()
    with own_redis() as url, tempfile.TemporaryDirectory() as home, Redis.from_url(url) as redis:
        record = Floor(redis, _settings(url, Path(home), scale), scale, asks).run()
        stats: dict[str, Any] = redis.info("commandstats")
    took_s = time.perf_counter() - began
    _show_size(scale, record, took_s)
    _show_waits(record.waits, _heavy(asks))
    _show_models(scale, record, asks)
    _show_redis(scale, record, stats)


def _scale(argv: Sequence[str]) -> Scale:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    for entry in fields(Scale):
        default = getattr(SMALL, entry.name)
        parser.add_argument("--" + entry.name.replace("_", "-"), type=type(default), default=default)
    return Scale(**vars(parser.parse_args(argv)))


def _settings(url: str, home: Path, scale: Scale) -> Settings:
    """No bound refuses anything, and no lease ends."""
    ages = {"lease_s": scale.span_s * 100, "max_age_s": scale.span_s * 100, "result_ttl_s": KEEP_S}
    return Settings(home=home, redis_url=url, max_waiting=10**9, max_waiting_bytes=2**50, **ages)


def _show_size(scale: Scale, record: Record, took_s: float) -> None:
    busy_s = scale.workers * record.end_s
    rows = [
        (
            f"{scale.workers} workers, {scale.models} models, {scale.tenants} tenants, caches of {scale.cache}",
            f"{scale.jobs} of {scale.mean_s:.1f} s in {scale.hours:g} h",
            f"{record.end_s / 3600:.2f} h",
            f"{record.compute_s / busy_s:.1%}",
            f"{record.load_s / busy_s:.1%}",
            f"{record.idle_s / busy_s:.1%}",
            f"{len(record.waits) / record.claims:.2f}",
            f"{took_s:.0f} s",
        )
    ]
    columns = (
        "size",
        "jobs",
        "done after",
        "computing",
        "loading",
        "asleep though jobs waited",
        "jobs per claim",
        "simulated in",
    )
    show(f"Simulation of the claim policy (the full size: `{FULL}`)", columns, rows)


def _heavy(asks: list[Ask]) -> set[int]:
    """The fewest tenants that ask for half of the compute."""
    spent: Counter[int] = Counter()
    for ask in asks:
        spent[ask.tenant] += ask.compute_s  # type: ignore[assignment]
    heavy: set[int] = set()
    half = sum(spent.values()) / 2
    for tenant, compute_s in spent.most_common():
        if half <= 0:
            break
        heavy.add(tenant)
        half -= compute_s
    return heavy


def _show_waits(waits: list[Wait], heavy: set[int]) -> None:
    classes: list[tuple[str, Callable[[Wait], bool]]] = [
        (f"{priority}, {weight} tenants", lambda wait, batch=batch, is_heavy=is_heavy: _is(wait, heavy, batch, is_heavy))
        for priority, batch in (("interactive", False), ("batch", True))
        for weight, is_heavy in ((f"{len(heavy)} heavy", True), ("all other", False))
    ]
    rows = [_quantiles(name, [wait for wait in waits if belongs(wait)]) for name, belongs in classes]
    columns = ("class", "jobs", "wait p50 s", "p95 s", "p99 s", "longest s", "waited for a load too")
    show("Waits until a worker has the job (heavy: the fewest tenants that ask for half of the compute)", columns, rows)


def _is(wait: Wait, heavy: set[int], batch: bool, is_heavy: bool) -> bool:
    return wait.ask.batch == batch and (wait.ask.tenant in heavy) == is_heavy


def _quantiles(name: str, waits: list[Wait]) -> tuple[object, ...]:
    if not waits:
        return name, 0, "-", "-", "-", "-", "-"
    figures = np.quantile([wait.wait_s for wait in waits], (0.5, 0.95, 0.99, 1.0))
    loaded = sum(wait.load_s > 0 for wait in waits) / len(waits)
    return name, len(waits), *(f"{figure:.2f}" for figure in figures), f"{loaded:.1%}"


def _show_models(scale: Scale, record: Record, asks: list[Ask]) -> None:
    spent: dict[int, float] = {}
    for ask in asks:
        spent[ask.model] = spent.get(ask.model, 0.0) + ask.compute_s
    least = sum(max(1, math.ceil(compute_s / scale.span_s)) for compute_s in spent.values())
    row = (len(spent), least, record.loads, f"{record.loads / least:.2f}", f"{record.loads / len(asks):.3f}")
    columns = (
        "models asked for",
        "least loads (each as often as its compute fills workers)",
        "loads",
        "ratio",
        "loads per job",
    )
    show("Loads of models", columns, [row])


def _show_redis(scale: Scale, record: Record, stats: dict[str, Any]) -> None:
    steps = [
        (step, f"{calls / scale.jobs:.3f}", f"{record.call_s[step] / calls * 1e6:.0f}")
        for step, calls in record.calls.most_common()
    ]
    show("Steps (round trip and the client's share included)", ("step", "calls per job", "us per call"), steps)
    script = stats["cmdstat_evalsha"]
    inside = sum(int(said["calls"]) for said in stats.values()) - int(script["calls"])
    per_job_us = script["usec"] / scale.jobs
    row = (
        f"{script['calls'] / scale.jobs:.2f}",
        f"{inside / scale.jobs:.0f}",
        f"{script['usec_per_call']:.0f}",
        f"{1e6 / script['usec_per_call']:.0f}",
        f"{per_job_us:.0f}",
        f"{1e6 / per_job_us:.0f}",
    )
    columns = (
        "script calls per job",
        "commands per job in them",
        "us of Redis per call",
        "calls/s",
        "us of Redis per job",
        "jobs/s",
    )
    show("What this Redis bounds it to (heartbeats not counted; the clock's own HSETs are among the commands)", columns, [row])


if __name__ == "__main__":
    main(sys.argv[1:])
