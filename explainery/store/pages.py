"""Pages of what a sorted set lists, as OpenAI's API turns them: `after` an id, so many, and whether there are more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from explainery.contract.errors import RequestRefused

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")
STRIDE = 200


def page_of(
    redis: Redis, index: str, after: str | None, limit: int, read: Callable[[str], T | None], *, oldest_first: bool = False
) -> tuple[list[T], bool]:
    """The members of `index` behind `after` that `read` gives something for, newest first unless said otherwise.

    Raises RequestRefused for an `after` that is not in it.
    """
    place = 0
    if after is not None:
        rank = redis.zrank(index, after) if oldest_first else redis.zrevrank(index, after)
        if rank is None:
            fault = {"loc": "after", "msg": "must be an id that a page before has listed"}
            raise RequestRefused(f"after {fault['msg']}.", [fault])
        place = int(str(rank)) + 1
    found: list[T] = []
    while True:
        members: Any = redis.zrange(index, place, place + STRIDE - 1, desc=not oldest_first)
        for member in members:
            if (known := read(member.decode())) is not None:
                found.append(known)
            if len(found) > limit:
                return found[:limit], True
        if len(members) < STRIDE:
            return found, False
        place += STRIDE
