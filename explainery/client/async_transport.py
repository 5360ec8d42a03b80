"""The driver that awaits: takes an operation's steps over one `httpx.AsyncClient`. `transport.py`, with `await`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any, TypeVar

import httpx

from explainery.client.patience import checked, patiently
from explainery.client.problems import told
from explainery.client.steps import Block, Give, Left, Line, Once, Open, Pause, Retries, Send, Step, Steps, Stream, Take

T = TypeVar("T")


class AsyncTransport:
    """Requests to one service. `timeout_s`: how long an answer may take; `retries`: how often a request is tried again."""

    def __init__(self, base_url: str, timeout_s: float, retries: int, headers: Mapping[str, str] | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self.retries = retries
        self.http = httpx.AsyncClient(base_url=self.base_url, timeout=timeout_s, headers=headers)

    async def run(self, steps: Steps[T]) -> T:
        """Take the steps of an operation, and give back what it returns."""
        returned: list[T] = []
        async with _Hands(self) as hands, aclosing(hands.take(steps, returned)) as given:
            async for _ in given:
                raise TypeError("an operation that returns one thing gave several")
        return returned[0]

    async def stream(self, steps: Stream[T]) -> AsyncGenerator[T, None]:
        """Take the steps of an operation, and give what it gives."""
        async with _Hands(self) as hands, aclosing(hands.take(steps, [])) as given:
            async for item in given:
                yield item

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()


class _Hands:
    """One operation on its way: what it has open."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._open = AsyncExitStack()
        self._lines: AsyncIterator[str] | None = None
        self._blocks: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> _Hands:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def take(
        self, steps: Generator[Any, Any, T], returned: list[T], failure: Exception | None = None
    ) -> AsyncGenerator[Any, None]:
        """Take steps; yields what is given, and puts what is returned into `returned`. `failure`: what it is told first."""
        answer: Any = None
        while True:
            try:
                step = steps.send(answer) if failure is None else steps.throw(failure)
            except StopIteration as end:
                returned.append(end.value)
                return
            answer = failure = None
            if isinstance(step, Give):
                try:
                    yield step.item
                except GeneratorExit:
                    await self._leave(steps)
                    raise
                continue
            try:
                answer = await self._answer(step)
            except Exception as error:  # the operation may know what to do about it; else it raises it
                failure = error

    async def _leave(self, steps: Generator[Any, Any, T]) -> None:
        """Let the operation take its last steps."""
        with suppress(Left):
            async with aclosing(self.take(steps, [], Left())) as given:
                async for _ in given:
                    return

    async def _answer(self, step: Step) -> Any:
        match step:
            case Send():
                return await self._transport.run(patiently(step, self._transport.retries))
            case Once(send):
                return await self._sent(send)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Retries():
                return self._transport.retries
            case Open():
                return await self._opened(step)
            case Line():
                with told(self._transport.http, self._transport.base_url):
                    return None if self._lines is None else await anext(self._lines, None)
            case Block():
                with told(self._transport.http, self._transport.base_url):
                    return None if self._blocks is None else await anext(self._blocks, None)
            case Take(source):
                return await anext(source, None) if isinstance(source, AsyncIterator) else next(source, None)

    async def _sent(self, send: Send) -> httpx.Response:
        timeout = httpx.Timeout(self._transport.timeout_s, read=self._transport.timeout_s + send.wait_s)
        with told(self._transport.http, self._transport.base_url):
            return await self._transport.http.request(send.verb, send.path, timeout=timeout, **send.options)

    async def _opened(self, step: Open) -> httpx.Response:
        await self._open.aclose()
        timeout = httpx.Timeout(self._transport.timeout_s, read=step.silence_s)
        opening = self._transport.http.stream("GET", step.path, timeout=timeout, headers=dict(step.headers))
        with told(self._transport.http, self._transport.base_url):
            response = await self._open.enter_async_context(opening)
            if not response.is_success:
                await response.aread()
        self._lines, self._blocks = response.aiter_lines(), response.aiter_bytes()  # one of the two is read
        return checked(response)
