"""The driver that blocks: takes an operation's steps over one `httpx.Client`."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

import httpx

from explainery.client.patience import checked, patiently
from explainery.client.problems import told
from explainery.client.steps import Block, Give, Left, Line, Once, Open, Pause, Retries, Send, Step, Steps, Stream, Take

T = TypeVar("T")


class Transport:
    """Requests to one service. `timeout_s`: how long an answer may take; `retries`: how often a request is tried again."""

    def __init__(self, base_url: str, timeout_s: float, retries: int, headers: Mapping[str, str] | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self.retries = retries
        self.http = httpx.Client(base_url=self.base_url, timeout=timeout_s, headers=headers)

    def run(self, steps: Steps[T]) -> T:
        """Take the steps of an operation, and give back what it returns."""
        with _Hands(self) as hands:
            given: Generator[Any, None, T] = hands.take(steps)
            try:
                next(given)
            except StopIteration as end:
                result: T = end.value
                return result
        raise TypeError("an operation that returns one thing gave several")

    def stream(self, steps: Stream[T]) -> Iterator[T]:
        """Take the steps of an operation, and give what it gives."""
        with _Hands(self) as hands:
            yield from hands.take(steps)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


class _Hands:
    """One operation on its way: what it has open."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._open = ExitStack()
        self._lines: Iterator[str] = iter(())
        self._blocks: Iterator[bytes] = iter(())

    def __enter__(self) -> _Hands:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def take(self, steps: Generator[Any, Any, T], failure: Exception | None = None) -> Generator[Any, None, T]:
        """Take steps; yields what the operation gives, and returns what it returns. `failure`: what it is told first."""
        answer: Any = None
        while True:
            try:
                step = steps.send(answer) if failure is None else steps.throw(failure)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = failure = None
            if isinstance(step, Give):
                try:
                    yield step.item
                except GeneratorExit:
                    self._leave(steps)
                    raise
                continue
            try:
                answer = self._answer(step)
            except Exception as error:  # the operation may know what to do about it; else it raises it
                failure = error

    def _leave(self, steps: Generator[Any, Any, T]) -> None:
        """Let the operation take its last steps."""
        with suppress(Left):
            for _ in self.take(steps, Left()):
                return

    def _answer(self, step: Step) -> Any:
        match step:
            case Send():
                return self._transport.run(patiently(step, self._transport.retries))
            case Once(send):
                return self._sent(send)
            case Pause(seconds):
                return time.sleep(seconds)
            case Retries():
                return self._transport.retries
            case Open():
                return self._opened(step)
            case Line():
                with told(self._transport.http, self._transport.base_url):
                    return next(self._lines, None)
            case Block():
                with told(self._transport.http, self._transport.base_url):
                    return next(self._blocks, None)
            case Take(source):
                return next(source, None)

    def _sent(self, send: Send) -> httpx.Response:
        timeout = httpx.Timeout(self._transport.timeout_s, read=self._transport.timeout_s + send.wait_s)
        with told(self._transport.http, self._transport.base_url):
            return self._transport.http.request(send.verb, send.path, timeout=timeout, **send.options)

    def _opened(self, step: Open) -> httpx.Response:
        self._open.close()
        timeout = httpx.Timeout(self._transport.timeout_s, read=step.silence_s)
        opening = self._transport.http.stream("GET", step.path, timeout=timeout, headers=dict(step.headers))
        with told(self._transport.http, self._transport.base_url):
            response = self._open.enter_context(opening)
            if not response.is_success:
                response.read()
        self._lines, self._blocks = response.iter_lines(), response.iter_bytes()  # one of the two is read
        return checked(response)
