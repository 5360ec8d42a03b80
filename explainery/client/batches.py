"""Files and batches: `client.files` and `client.batches`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from explainery.client.problems import ClientError
from explainery.client.transport import Transport
from explainery.contract.batches import ENDED, ENDPOINT

_FILES, _BATCHES = "/v1/files", "/v1/batches"
_SILENCE_S = 60.0
_POLL_S = (0.1, 2.0)


class BatchNotEnded(ClientError):
    """The batch had not ended when waiting ended; `batch` is as it was then. It goes on."""

    def __init__(self, batch: dict[str, Any]) -> None:
        super().__init__(f"Batch {batch['id']} is {batch['status']}")
        self.batch = batch


class Files:
    """The files of batches."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, source: Path | str | IO[bytes], *, name: str | None = None, expires_after_s: int | None = None
    ) -> dict[str, Any]:
        """Upload a file: its path, or an open one. JSON lines, CSV or Parquet, by its name; it is not read into memory."""
        if isinstance(source, Path | str):
            with Path(source).open("rb") as file:
                return self.create(file, name=name or Path(source).name, expires_after_s=expires_after_s)
        form: dict[str, Any] = {"purpose": "batch"}
        if expires_after_s is not None:
            form |= {"expires_after[anchor]": "created_at", "expires_after[seconds]": str(expires_after_s)}
        part = (name or Path(str(getattr(source, "name", "rows.jsonl"))).name, source)
        return dict(self._transport.send("POST", _FILES, data=form, files={"file": part}).json())

    def list(self, *, purpose: str | None = None) -> Iterator[dict[str, Any]]:
        """Every file, the newest first."""
        return _pages(self._transport, _FILES, {} if purpose is None else {"purpose": purpose})

    def retrieve(self, file_id: str) -> dict[str, Any]:
        """What is known of a file."""
        return dict(self._transport.get(f"{_FILES}/{file_id}").json())

    def content(self, file_id: str) -> Iterator[bytes]:
        """A file's bytes, as they come."""
        with self._transport.stream(f"{_FILES}/{file_id}/content", _SILENCE_S, {}) as response:
            yield from response.iter_bytes()

    def lines(self, file_id: str) -> Iterator[dict[str, Any]]:
        """The lines of a file of JSON lines, as they come."""
        rest = b""
        for block in self.content(file_id):
            *whole, rest = (rest + block).split(b"\n")
            yield from (json.loads(line) for line in whole if line.strip())
        if rest.strip():
            yield json.loads(rest)

    def delete(self, file_id: str) -> None:
        """Delete a file for good. Raises ServiceError (409) while a batch reads it."""
        self._transport.send("DELETE", f"{_FILES}/{file_id}")


class Batches:
    """Batches: many requests in a file, answered in another."""

    def __init__(self, transport: Transport, files: Files) -> None:
        self._transport = transport
        self._files = files

    def submit(self, source: Path | str | IO[bytes], **options: Any) -> dict[str, Any]:
        """Upload a file and hand it in; `options` as of `create`."""
        return self.create(str(self._files.create(source)["id"]), **options)

    def create(
        self,
        input_file_id: str,
        *,
        request: Mapping[str, Any] | None = None,
        completion_window: str = "24h",
        metadata: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Hand in a file. `request`: of a table (CSV, Parquet), what its rows share: `model`, `method`, `params`, and so on."""
        body: dict[str, Any] = {"input_file_id": input_file_id, "endpoint": ENDPOINT, "completion_window": completion_window}
        body |= {name: dict(said) for name, said in (("request", request), ("metadata", metadata)) if said is not None}
        return dict(self._transport.send("POST", _BATCHES, json=body).json())

    def retrieve(self, batch_id: str) -> dict[str, Any]:
        """A batch as it is now."""
        return dict(self._transport.get(f"{_BATCHES}/{batch_id}").json())

    def list(self) -> Iterator[dict[str, Any]]:
        """Every batch, the newest first."""
        return _pages(self._transport, _BATCHES, {})

    def cancel(self, batch_id: str) -> dict[str, Any]:
        """Cancel a batch. Raises ServiceError (409) when it had ended."""
        return dict(self._transport.send("POST", f"{_BATCHES}/{batch_id}/cancel").json())

    def wait(
        self, batch_id: str, timeout_s: float | None = None, progress: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """Wait until a batch has ended, however it ends; `progress` is called with each look. Raises BatchNotEnded."""
        end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        pause_s, longest_s = _POLL_S
        while True:
            batch = self.retrieve(batch_id)
            if progress is not None:
                progress(batch)
            if batch["status"] in ENDED:
                return batch
            if time.monotonic() + pause_s > end:
                raise BatchNotEnded(batch)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, longest_s)

    def results(self, batch_id: str) -> Iterator[dict[str, Any]]:
        """Every line of a batch that has ended: the answered ones, then those of the error file. Raises BatchNotEnded."""
        batch = self.retrieve(batch_id)
        if batch["status"] not in ENDED:
            raise BatchNotEnded(batch)
        for file in (batch["output_file_id"], batch["error_file_id"]):
            if file is not None:
                yield from self._files.lines(file)

    def summary(self, batch_id: str) -> dict[str, Any]:
        """What its explanations come to so far, per feature."""
        return dict(self._transport.get(f"{_BATCHES}/{batch_id}/summary").json())


def _pages(transport: Transport, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    while True:
        page = transport.get(path, params=query).json()
        yield from page["data"]
        if not page["has_more"]:
            return
        query = {**query, "after": page["last_id"]}
