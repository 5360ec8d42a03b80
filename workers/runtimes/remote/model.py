"""A model that is served elsewhere: rows go out in batches, several at a time, and come back whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import MethodUnavailable, RemoteAnswerInvalid, RemoteUnavailable
from explainery.contract.model_card import ModelCard
from explainery.contract.remote_card import RemoteSpec
from explainery.contract.tensors import NUMPY_NAMES
from workers.runtimes.remote.answers import Answer

Arrays = Mapping[str, NDArray[Any]]


class Protocolled(Protocol):
    """One of the protocols, for one model."""

    def ask(self, feeds: Arrays, rows: int) -> Answer:
        """The explained output of some rows."""
        ...

    def look(self) -> str | None:
        """Check the card against the far side; the version that answers, where it is known."""
        ...


class RemoteModel:
    """Answers values. `stale`: the far side has another version of the model by now, so this one has to be loaded anew."""

    xp = np

    def __init__(self, card: ModelCard, remote: RemoteSpec, protocol: Protocolled, given_up: threading.Event) -> None:
        self._remote = remote
        self._given_up = given_up
        self._protocol = protocol
        self._datatypes = {spec.name: NUMPY_NAMES[spec.datatype] for spec in card.inputs}
        self._threads = ThreadPoolExecutor(remote.concurrency, thread_name_prefix="remote")
        self._lock = threading.Lock()
        self._version: str | None = None
        self.stale = False
        self.environment: Mapping[str, str | None] = {}
        self._note(protocol.look())

    def place(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array itself."""
        return array

    def fetch(self, array: NDArray[Any]) -> NDArray[np.float64]:
        """The array as float64."""
        return np.asarray(array, dtype=np.float64)

    def forward(self, inputs: Arrays) -> NDArray[np.float64]:
        """Outputs [points, columns]. Raises RemoteUnavailable, RemoteRefused, RemoteForbidden, RemoteAnswerInvalid."""
        self._given_up.clear()
        feeds = {name: np.ascontiguousarray(inputs[name], dtype=datatype) for name, datatype in self._datatypes.items()}
        outputs = self._all(list(_batches(feeds, self._remote.batch)))
        return np.concatenate([output.reshape(len(output), -1) for output in outputs])

    def abandon(self) -> None:
        """End the requests that are going on: nobody waits for their answers any more."""
        self._given_up.set()

    def gradients(self, inputs: Arrays, columns: NDArray[np.int64]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """Never: the protocols carry none."""
        raise MethodUnavailable("A remote model gives no gradients; use a method that asks for values only.")

    def _all(self, batches: list[Arrays]) -> list[NDArray[np.float64]]:
        """Every batch's output. When one fails, those that have not begun are not asked any more."""
        if len(batches) == 1:
            return [self._one(batches[0])]
        asked = [self._threads.submit(self._one, batch) for batch in batches]
        try:
            wait(asked, return_when=FIRST_EXCEPTION)
        finally:
            for future in asked:
                future.cancel()
            wait(asked)  # no request outlives its chunk: the bound on concurrency is one over chunks too
        if error := _failure(asked):
            raise error
        return [future.result() for future in asked]

    def _one(self, batch: Arrays) -> NDArray[np.float64]:
        rows = len(next(iter(batch.values())))
        answer = self._protocol.ask(batch, rows)
        if answer.version is not None:
            self._note(answer.version)
        return answer.values

    def _note(self, version: str | None) -> None:
        """What version answers. Values of two versions must not meet in one explanation."""
        with self._lock:
            if self._remote.version is not None and version not in (None, self._remote.version):
                raise RemoteAnswerInvalid(
                    f"The far side answered with another version than {self._remote.version}, which the card asks for."
                )
            if self._version is not None and version != self._version:
                self.stale = True
            if self.stale:
                raise RemoteUnavailable("The far side has begun to serve another version of the model; the job starts again.")
            self._version = version
            self.environment = {
                "device": "remote",
                "remote_protocol": self._remote.protocol,
                "remote_model": self._remote.model,
                "remote_version": version,
            }


def _batches(feeds: Arrays, most: int) -> Iterator[Arrays]:
    rows = len(next(iter(feeds.values())))
    for start in range(0, rows, most):
        yield {name: array[start : start + most] for name, array in feeds.items()}


def _failure(asked: list[Future[NDArray[np.float64]]]) -> BaseException | None:
    """What went wrong first, in the order of the rows."""
    errors = (future.exception() for future in asked if not future.cancelled())
    return next((error for error in errors if error is not None), None)
