"""From operations to methods of the two clients, with their signatures and docstrings.

An operation is written once and listed once (`operations/every.py`). What a client's method gives follows from the client:
`Client` its return value, `AsyncClient` something to await; mypy and editors see each, as they see who is asked.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from explainery.client.steps import Steps, Stream

if TYPE_CHECKING:
    from explainery.client.async_client import AsyncClient
    from explainery.client.client import Client
    from explainery.client.operations.every import Operations

P = ParamSpec("P")
T = TypeVar("T")


class Answered(Generic[P, T]):
    """An operation that returns once: called on `Client`, awaited on `AsyncClient`."""

    def __init__(self, operation: Callable[P, Steps[T]]) -> None:
        def called(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return client.transport.run(operation(*args, **kwargs))

        async def awaited(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return await client.transport.run(operation(*args, **kwargs))

        self._called, self._awaited = _named(called, operation), _named(awaited, operation)

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Any, owner: type[Operations]) -> Any:
        return (self._awaited if owner._awaits else self._called).__get__(client, owner)


class Streamed(Generic[P, T]):
    """An operation that gives one thing after another: an iterator on `Client`, an asynchronous one on `AsyncClient`."""

    def __init__(self, operation: Callable[P, Stream[T]]) -> None:
        def streamed(client: Client | AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T] | AsyncIterator[T]:
            return client.transport.stream(operation(*args, **kwargs))

        self._streamed = _named(streamed, operation)

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        return self._streamed.__get__(client, owner)


def _named(method: Any, operation: Callable[..., Any]) -> Any:
    """The method under the operation's name, as `help` and editors show it."""
    method.__name__ = method.__qualname__ = operation.__name__
    method.__doc__ = operation.__doc__
    signature = inspect.signature(operation)
    client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    returned = str(signature.return_annotation).removeprefix("Steps[").removeprefix("Stream[").removesuffix("]")
    method.__signature__ = signature.replace(parameters=[client, *signature.parameters.values()], return_annotation=returned)
    return method
