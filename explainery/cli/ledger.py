"""What the operator's commands share: they ask Redis itself, so they work while the API is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from explainery.cli.exits import UNREACHABLE, Failure
from explainery.settings import Settings, load

if TYPE_CHECKING:
    from explainery.store.figures import Figures
    from explainery.store.quarantine import Quarantine

Redis = Any
"""The client of redis-py: only the store knows its type."""


@contextmanager
def opened() -> Iterator[tuple[Redis, Settings]]:
    """Redis as `worker` and `serve` find it, and the settings that name it. Raises CannotStart when there is none."""
    from explainery.supervisor.embedded_redis import remembered_url

    if find_spec("redis") is None:
        raise Failure("This command asks Redis itself: pip install 'explainery[service]'", UNREACHABLE)
    from explainery.store.connection import connect

    settings = load()
    settings = replace(settings, redis_url=remembered_url(settings))
    with connect(settings) as redis:
        yield redis, settings


@contextmanager
def quarantine() -> Iterator[tuple[Quarantine, Settings]]:
    """The quarantine, and the settings of its Redis."""
    from explainery.store.quarantine import Quarantine

    with opened() as (redis, settings):
        yield Quarantine(redis, settings), settings


def figures(redis: Redis) -> Figures:
    """One look at the ledger."""
    from explainery.store.figures import look

    return look(redis)
