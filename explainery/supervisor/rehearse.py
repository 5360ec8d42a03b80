"""An understudy's program, `python -m explainery.supervisor.rehearse <package> ...`: import, wait for the cue, play the part.

It imports every module of the packages named (and what the celery command needs), then reads one line from standard input,
the cue, as JSON: `environment` to add, `arguments` of the celery command, and the `log` to write to. End of input instead
means it is not needed.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

_CELERY = ("celery.bin.celery", "celery.bin.worker", "celery.apps.worker", "celery.worker.consumer", "celery.concurrency.solo",
           "celery.app.amqp", "celery.app.control", "celery.app.log", "kombu.transport.redis")  # fmt: skip
"""What `celery worker` imports only when it is run."""


def rehearse(packages: Sequence[str]) -> None:
    """Import the packages with all their modules, and celery's."""
    for name in _CELERY:
        importlib.import_module(name)
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)


def play(environment: dict[str, str], arguments: list[str], log: str) -> None:
    """Become the worker: the environment, the log, then the celery command in this very process."""
    os.environ.update(environment)
    descriptor = os.open(Path(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (descriptor, 1), (descriptor, 2)):
        os.dup2(source, target)
    os.close(descriptor)
    os.close(nothing)
    sys.argv = ["celery", *arguments]
    from celery.__main__ import main as celery

    celery()


def main() -> None:
    """Rehearse, wait, play."""
    rehearse(sys.argv[1:])
    print("rehearsed", flush=True)  # noqa: T201  into its log
    cue = sys.stdin.readline()
    if cue:
        play(**json.loads(cue))


if __name__ == "__main__":
    main()
