"""Files count as a tenant's stored bytes: uploads, and what a batch writes; deleted and expired ones do not."""

from __future__ import annotations

import dataclasses
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from explainery.settings import Settings
from explainery.store.files import FileStore
from service.batches.coordinator import Coordinator

MOST = 10**6
QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(settings, files=str(tmp_path / "files"), chunk_lines=2)


@pytest.fixture
def client(guarded: Any) -> FlaskClient:
    guarded.tenants.set("one", bytes=MOST)
    made: FlaskClient = guarded.client("one")
    return made


@pytest.fixture
def coordinator(guarded: Any) -> Iterator[Coordinator]:
    made = Coordinator(guarded.settings)
    yield made
    made.stop()
    made.run()


def upload(client: FlaskClient, content: bytes, **form: Any) -> Any:
    return client.post("/v1/files", data={"purpose": "batch", "file": (io.BytesIO(content), "in.jsonl"), **form})


def held(client: FlaskClient) -> int:
    fields = client.get("/v1/files").headers["RateLimit"].split(", ")
    return MOST - int(next(each for each in fields if each.startswith('"bytes"')).partition("r=")[2])


def on_disk(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.files).rglob("*") if path.is_file()]


def over(answer: Any) -> None:
    assert (answer.status_code, answer.json["code"], answer.json["type"]) == (429, "quota_exceeded", QUOTA)
    assert answer.json["violated-policies"] == ["bytes"]
    assert int(answer.headers["Retry-After"]) >= 1


def filled(size: int) -> bytes:
    return b'{"' + b"a" * (size - 2)


def test_a_file_counts_until_it_is_deleted(client: FlaskClient) -> None:
    files = [upload(client, filled(size)).json["id"] for size in (1000, 20_000)]
    assert held(client) == 21_000
    client.delete(f"/v1/files/{files[1]}")
    assert held(client) == 1000
    client.delete(f"/v1/files/{files[0]}")
    assert held(client) == 0


@pytest.mark.parametrize("size", [2001, 50_000])  # known to be too much at the end alone, and at once
def test_past_the_quota_nothing_is_stored_and_nothing_counts(
    guarded: Any, client: FlaskClient, settings: Settings, size: int
) -> None:
    guarded.tenants.set("one", bytes=3000)
    assert upload(client, filled(1000)).status_code == 200
    over(upload(client, filled(size)))
    assert len(on_disk(settings)) == len(client.get("/v1/files").json["data"]) == 1
    assert upload(client, filled(2000)).status_code == 200, "to the last byte, whatever was refused before"
    assert upload(guarded.client("two"), filled(size)).status_code == 200


def test_what_is_refused_for_something_else_counts_nothing(client: FlaskClient, settings: Settings) -> None:
    assert upload(client, filled(50_000), purpose="fine-tune").status_code == 422
    assert upload(client, b"\0" * 50_000).status_code == 200  # by its name
    assert (held(client), len(on_disk(settings))) == (50_000, 1)


def test_many_uploads_at_once_do_not_go_past_it_together(guarded: Any, client: FlaskClient, settings: Settings) -> None:
    guarded.tenants.set("one", bytes=3 * 50_000 + 10)
    shown, told = {"Authorization": client.environ_base["HTTP_AUTHORIZATION"]}, []

    def ask() -> None:
        data = {"purpose": "batch", "file": (io.BytesIO(filled(50_000)), "in.jsonl")}
        told.append(guarded.app.test_client().post("/v1/files", data=data, headers=shown).status_code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [200] * 3 + [429] * 9
    assert len(on_disk(settings)) == 3


def test_a_job_is_refused_where_files_have_taken_what_there_was(
    guarded: Any, client: FlaskClient, loan: dict[str, Any]
) -> None:
    file = upload(client, filled(2000)).json["id"]
    guarded.tenants.set("one", bytes=2010)
    over(client.post("/v1/explanations", json=loan))
    over(client.post("/v1/backgrounds", json={"model": "loan", "rows": [[1.0, 2.0, 0.0, 3.0]]}))
    client.delete(f"/v1/files/{file}")
    assert client.post("/v1/explanations", json=loan).status_code == 202


def test_expired_files_and_uploads_that_died_are_free_again(client: FlaskClient, worker: Any, settings: Settings) -> None:
    upload(client, filled(1000))
    store = FileStore(worker.redis, settings)
    died = store.uploading("one", 5000, 0)
    file = died.__enter__()  # and nothing is heard of it any more
    with store.bytes.writing(file, "whole") as stream:
        stream.write(b"some")
    assert held(client) == 6000
    assert client.get(f"/v1/files/{file}").status_code == 404
    assert store.sweep() == 0
    for member in worker.redis.zrange("{explainery}:files_due", 0, -1):
        worker.redis.zadd("{explainery}:files_due", {member: 1})
    assert store.sweep() == 2
    assert (held(client), on_disk(settings)) == (0, [])
    assert not [key for key in worker.redis.scan_iter() if b":upload:" in key or b":file:" in key]


def line(name: str) -> dict[str, Any]:
    body = {"model": "loan", "method": "kernel_shap", "instances": [[1.0, 2.0, 0.0, 3.0]]}
    return {"custom_id": name, "method": "POST", "url": "/v1/explanations", "body": body}


def turned(coordinator: Coordinator, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "turned in vain"
        if not coordinator.turn():
            time.sleep(0.002)


def create(client: FlaskClient, lines: list[Any]) -> str:
    text = b"".join(json.dumps(each).encode() + b"\n" for each in lines)
    file = upload(client, text).json["id"]
    return str(client.post("/v1/batches", json={"input_file_id": file, "endpoint": "/v1/explanations"}).json["id"])


def test_what_a_batch_writes_counts_and_its_lines_wait_for_room(
    guarded: Any, client: FlaskClient, serving: Any, coordinator: Coordinator, settings: Settings
) -> None:
    broken = line("broken") | {"body": {"model": "none"}}
    batch = create(client, [line(f"r{n}") for n in range(39)] + [broken])

    def asked() -> dict[str, Any]:
        return dict(client.get(f"/v1/batches/{batch}").json)

    other = upload(client, filled(200_000)).json["id"]
    guarded.tenants.set("one", bytes=held(client) + 12_000)
    turned(coordinator, lambda: asked()["request_counts"]["completed"] > 0)
    for _ in range(200):
        coordinator.turn()
    assert asked()["status"] == "in_progress", "there is no room for all the answers"
    assert asked()["request_counts"]["completed"] < 39
    client.delete(f"/v1/files/{other}")
    guarded.tenants.set("one", bytes=MOST)
    turned(coordinator, lambda: asked()["status"] == "completed")
    assert asked()["request_counts"] == {"total": 40, "completed": 39, "failed": 1}
    files = client.get("/v1/files").json["data"]
    assert len(files) == 3
    assert held(client) == sum(file["bytes"] for file in files)
    for file in files:
        client.delete(f"/v1/files/{file['id']}")
    assert held(client) == 0
