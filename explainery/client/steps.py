"""What an operation asks of the wire. An operation is a generator of steps; a driver, of which there are two, takes them.

So each operation is written once, for the client that blocks and for the one that awaits, and can be looked at without a wire:
it yields `Send(...)`, and is sent the response. One that gives several things in the course of time yields `Give(thing)`
between its other steps.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """A request; the answer is its `httpx.Response`.

    `wait_s`: how much longer than usual the answer may take. `again`: it may be said twice, because it only reads or carries an
    idempotency key, so it is tried again when the service is away for a moment. `checked`: a problem is raised as ServiceError.
    `options`: `json`, `content`, `headers`, `params`, `files`, `data`, as httpx has them.
    """

    verb: str
    path: str
    wait_s: float = 0.0
    again: bool = False
    checked: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Once:
    """A request that is sent this once, and whose answer is taken whatever it says."""

    send: Send


@dataclass(frozen=True)
class Pause:
    """Let time pass; no answer."""

    seconds: float


@dataclass(frozen=True)
class Retries:
    """How often something is tried again; answered by that number."""


@dataclass(frozen=True)
class Open:
    """Read an answer as it comes; answered by the `httpx.Response`, whose lines or blocks are asked for next. Ends the last."""

    path: str
    headers: Mapping[str, str]
    silence_s: float


@dataclass(frozen=True)
class Line:
    """The next line of what was opened; answered by it, or by None at the end."""


@dataclass(frozen=True)
class Block:
    """The next bytes of what was opened; answered by them, or by None at the end."""


@dataclass(frozen=True)
class Take:
    """The next item of an iterator (or, when awaiting, an asynchronous one); answered by it, or by None at the end."""

    source: Any


@dataclass(frozen=True)
class Give(Generic[T]):
    """Hand something to who asked; no answer."""

    item: T


class Left(Exception):
    """Raised in an operation at its `Give`, when who asked wants no more. It may take its last steps."""


Step = Send | Once | Pause | Retries | Open | Line | Block | Take
Steps = Generator[Step, Any, T]
Stream = Generator[Step | Give[T], Any, None]


def read(path: str, *, wait_s: float = 0.0, checked: bool = True, **options: Any) -> Send:
    """A request that only reads."""
    return Send("GET", path, wait_s, again=checked, checked=checked, options=options)


def write(verb: str, path: str, *, wait_s: float = 0.0, **options: Any) -> Send:
    """A request that is sent once: whether what broke off arrived cannot be known."""
    return Send(verb, path, wait_s, options=options)
