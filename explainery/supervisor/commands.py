"""The command lines of a worker and of the API, and their environment: the same under `up` and in the foreground."""

from __future__ import annotations

import os
import sys
from uuid import uuid4

from explainery.settings import Settings

QUEUE = "explainery"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_TUNING = {
    # Threads that spin while they wait make small models 15 times slower as soon as anything else wants a core.
    "OMP_WAIT_POLICY": "PASSIVE",
    # glibc gives the pages of every large array back at once, and the next chunk faults them in again: a small CNN lost
    # half its speed to that. Keep up to half a GiB instead.
    "MALLOC_MMAP_THRESHOLD_": str(256 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(512 * 2**20),
}


def worker_identity(name: str = "worker") -> str:
    """A worker's id in the ledger: new at each start, so that what a dead one held is known from what its successor holds."""
    return f"{name}-{uuid4().hex[:12]}"


def worker_command(identity: str, log_level: str) -> list[str]:
    """The command line of one worker process."""
    return [
        sys.executable, "-m", "celery", "--app", "workers.app", "worker",
        "--hostname", f"{identity}@%h",
        "--queues", QUEUE,
        "--pool", "solo", "--concurrency", "1",  # CUDA cannot follow a fork; prefork workers exit when Redis restarts
        "--without-gossip", "--without-mingle",  # workers have nothing to say to each other: the ledger knows
        "--disable-prefetch",  # a busy worker must not hoard bells that an idle one could answer
        "--loglevel", log_level,
    ]  # fmt: skip


def worker_environment(settings: Settings, redis_url: str, identity: str) -> dict[str, str]:
    """What a worker reads besides the settings. Thread counts must be known before torch is imported."""
    threads = {name: str(compute_threads(settings)) for name in _THREAD_VARIABLES}
    if settings.threads == 0:  # nobody asked for a number: what the operator set for these libraries stands
        threads.update({name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ})
    return {"EXPLAINERY_REDIS_URL": redis_url, "EXPLAINERY_WORKER_ID": identity, **threads, **tuning()}


def tuning() -> dict[str, str]:
    """What makes computing faster and must be set before a process starts; what the operator has set stands."""
    return {name: os.environ.get(name, value) for name, value in _TUNING.items()}


def compute_threads(settings: Settings) -> int:
    """Threads one worker computes with: as set, else this process's cores shared among the workers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.threads or max(1, cores // settings.workers)


def courier_command() -> list[str]:
    """The command line of the courier, which carries webhooks out."""
    return [sys.executable, "-m", "explainery.courier"]


def coordinator_command() -> list[str]:
    """The command line of the coordinator, which drives batches."""
    return [sys.executable, "-m", "service.batches"]


def service_command(bind: str | None = None) -> list[str]:
    """The command line of the API. `bind`: an address, or `fd://N` for a socket it inherits; else what the settings say."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_config"]
    return [*command, *(("--bind", bind) if bind else ()), "service.wsgi:app"]
