"""From operations to methods of the two clients, with their signatures and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from explainery.client.steps import Steps, Stream

if TYPE_CHECKING:
    from explainery.client.async_client import AsyncClient
    from explainery.client.client import Client

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])


def blocking(operation: Callable[P, Steps[T]]) -> Callable[Concatenate[Client, P], T]:
    """A method that blocks until the operation returns."""

    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.transport.run(operation(*args, **kwargs))

    return _named(method, operation)


def blocking_stream(operation: Callable[P, Stream[T]]) -> Callable[Concatenate[Client, P], Iterator[T]]:
    """A method that gives an iterator."""

    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self.transport.stream(operation(*args, **kwargs))

    return _named(method, operation)


def awaiting(operation: Callable[P, Steps[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    """A method to be awaited."""

    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.transport.run(operation(*args, **kwargs))

    return _named(method, operation)


def awaiting_stream(operation: Callable[P, Stream[T]]) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]:
    """A method that gives an asynchronous iterator."""

    def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self.transport.stream(operation(*args, **kwargs))

    return _named(method, operation)


def _named(method: M, operation: Callable[..., Any]) -> M:
    """The method under the operation's name, as `help` and editors show it."""
    method.__name__, method.__doc__ = operation.__name__, operation.__doc__
    method.__qualname__ = operation.__name__
    signature = inspect.signature(operation)
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    returned = str(signature.return_annotation).removeprefix("Steps[").removeprefix("Stream[").removesuffix("]")
    shown = signature.replace(parameters=[self, *signature.parameters.values()], return_annotation=returned)
    method.__signature__ = shown  # type: ignore[attr-defined]  # what inspect.signature reads
    return method
