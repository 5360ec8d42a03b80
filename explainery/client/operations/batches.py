"""Batches: many requests in a file, answered in another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from explainery.client.operations import files
from explainery.client.operations.paths import given, path
from explainery.client.problems import BatchNotEnded
from explainery.client.steps import Pause, Steps, Stream, read, write
from explainery.contract.batches import ENDED, ENDPOINT

_BATCHES = "/v1/batches"
_POLL_S = (0.1, 2.0)


def submit_batch(source: Path | str | IO[bytes], **options: Any) -> Steps[dict[str, Any]]:
    """Upload a file and hand it in; `options` as of `create_batch`."""
    uploaded = yield from files.create_file(source)
    return (yield from create_batch(str(uploaded["id"]), **options))


def create_batch(
    input_file_id: str,
    *,
    request: Mapping[str, Any] | None = None,
    completion_window: str = "24h",
    metadata: Mapping[str, str] | None = None,
) -> Steps[dict[str, Any]]:
    """Hand in a file. `request`: of a table (CSV, Parquet), what its rows share: `model`, `method`, `params`, and so on."""
    body: dict[str, Any] = {"input_file_id": input_file_id, "endpoint": ENDPOINT, "completion_window": completion_window}
    body |= given(request=request and dict(request), metadata=metadata and dict(metadata))
    return dict((yield write("POST", _BATCHES, json=body)).json())


def batch(batch_id: str) -> Steps[dict[str, Any]]:
    """A batch as it is now."""
    return dict((yield read(path("v1", "batches", batch_id))).json())


def batches() -> Stream[dict[str, Any]]:
    """Every batch, the newest first."""
    yield from files.pages(_BATCHES, {})


def cancel_batch(batch_id: str) -> Steps[dict[str, Any]]:
    """Cancel a batch. Raises ServiceError (409) when it had ended."""
    return dict((yield write("POST", path("v1", "batches", batch_id, "cancel"))).json())


def wait_for_batch(
    batch_id: str, timeout_s: float | None = None, progress: Callable[[dict[str, Any]], None] | None = None
) -> Steps[dict[str, Any]]:
    """Wait until a batch has ended, however it ends; `progress` is called with each look. Raises BatchNotEnded."""
    end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    pause_s, longest_s = _POLL_S
    while True:
        known = yield from batch(batch_id)
        if progress is not None:
            progress(known)
        if known["status"] in ENDED:
            return known
        if time.monotonic() + pause_s > end:
            raise BatchNotEnded(known)
        yield Pause(pause_s)
        pause_s = min(pause_s * 1.5, longest_s)


def batch_results(batch_id: str) -> Stream[dict[str, Any]]:
    """Every line of a batch that has ended: the answered ones, then those of the error file. Raises BatchNotEnded."""
    known = (yield read(path("v1", "batches", batch_id))).json()
    if known["status"] not in ENDED:
        raise BatchNotEnded(known)
    for found in (known["output_file_id"], known["error_file_id"]):
        if found is not None:
            yield from files.file_lines(found)


def batch_summary(batch_id: str) -> Steps[dict[str, Any]]:
    """What its explanations come to so far, per feature."""
    return dict((yield read(path("v1", "batches", batch_id, "summary"))).json())
