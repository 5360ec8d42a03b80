"""The stock `openai` client: files and batches, unmodified. Usage: openai_client.py URL."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import openai
from native import ROWS, native

TABLE = {"model": "table", "method": "kernel_shap", "params": {"samples": 300}, "seed": 7}
SLOW = {"model": "slow", "method": "exact_shapley"}
MANY = 40
DONE = ("completed", "failed", "expired", "cancelled")


def lines(body: dict[str, object]) -> bytes:
    """A file of requests."""
    rows = [ROWS[number % 2][: 4 if body is TABLE else 3] for number in range(MANY)]
    asked = [{**body, "instances": [row]} for row in rows]
    made = [
        {"custom_id": f"request-{number}", "method": "POST", "url": "/v1/explanations", "body": body}
        for number, body in enumerate(asked)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in made)


def hand_in(client: openai.OpenAI, body: dict[str, object]) -> openai.types.Batch:
    """Upload and create, as OpenAI's guide does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batchinput.jsonl"
        path.write_bytes(lines(body))
        with path.open("rb") as file:
            uploaded = client.files.create(file=file, purpose="batch")
    assert (uploaded.filename, uploaded.bytes, uploaded.status) == ("batchinput.jsonl", len(lines(body)), "processed")
    return client.batches.create(
        input_file_id=uploaded.id,
        endpoint="/v1/explanations",  # type: ignore[arg-type]  # its annotation lists OpenAI's own
        completion_window="24h",
        metadata={"description": "nightly explanations"},
    )


def waited(client: openai.OpenAI, batch: openai.types.Batch) -> openai.types.Batch:
    """The batch when it has ended."""
    deadline = time.monotonic() + 60
    while batch.status not in DONE:
        assert time.monotonic() < deadline, batch.status
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return batch


def completes(client: openai.OpenAI, url: str) -> None:
    """A batch from its file to its answers; they are those of the native route."""
    batch = hand_in(client, TABLE)
    assert (batch.object, batch.endpoint, batch.metadata) == (
        "batch", "/v1/explanations", {"description": "nightly explanations"},
    )  # fmt: skip
    batch = waited(client, batch)
    counts = batch.request_counts
    assert (batch.status, counts.total, counts.completed, counts.failed) == ("completed", MANY, MANY, 0)
    assert batch.error_file_id is None
    found = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    expected = native(url)
    said = {line["custom_id"]: line["response"]["body"]["explanations"][0] for line in found}
    assert len(found) == len(said) == MANY
    for number in range(MANY):
        assert said[f"request-{number}"] == expected[number % 2], number
    assert next(each.id for each in client.batches.list(limit=5)) == batch.id
    assert batch.output_file_id in {file.id for file in client.files.list()}
    about = client.files.retrieve(batch.output_file_id)
    assert (about.purpose, client.files.delete(batch.output_file_id).deleted) == ("batch_output", True)
    try:
        client.files.retrieve(batch.output_file_id)
    except openai.NotFoundError:
        pass
    else:
        raise AssertionError("a deleted file is still there")


def cancels(client: openai.OpenAI) -> None:
    """A batch that is told to stop answers every line all the same."""
    batch = client.batches.cancel(hand_in(client, SLOW).id)
    assert batch.status == "cancelling"
    batch = waited(client, batch)
    counts = batch.request_counts
    assert (batch.status, counts.completed + counts.failed) == ("cancelled", MANY)
    errors = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
    assert {line["error"]["code"] for line in errors} == {"batch_cancelled"}


def table(client: openai.OpenAI) -> None:
    """A CSV; what its rows share goes into the extra body."""
    text = b"age,sex_f,sex_m,income\n1,0,1,2\n3,1,0,4\n"
    uploaded = client.files.create(
        file=("rows.csv", text), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert uploaded.expires_at == uploaded.created_at + 3600
    request = {"model": "table", "method": "exact_shapley", "target": None, "baseline": "zeros"}
    batch = client.batches.create(
        input_file_id=uploaded.id,
        endpoint="/v1/explanations",  # type: ignore[arg-type]  # as above
        completion_window="24h",
        extra_body={"request": request},
    )
    batch = waited(client, batch)
    assert (batch.status, batch.request_counts.completed) == ("completed", 2)


def main(url: str) -> None:
    """Everything."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    completes(client, url)
    cancels(client)
    table(client)
    print(f"openai {openai.__version__}: files and batches")


if __name__ == "__main__":
    main(sys.argv[1])
