"""Some of a file's bytes: which, from which parts, and what is no range."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from explainery.contract.errors import RangeNotSatisfiable
from explainery.settings import Settings
from explainery.store.batch_files import BatchFiles
from explainery.store.keys import key
from service.ranges import read_range

TEXT = b'{"' + bytes(range(97, 123)) * 40


@pytest.fixture(params=["folder", "memory"])
def settings(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    where = str(tmp_path / "files") if request.param == "folder" else f"memory://{tmp_path.name}"
    return dataclasses.replace(settings, files=where)


@pytest.fixture
def file(client: FlaskClient) -> str:
    return str(client.post("/v1/files", data={"purpose": "batch", "file": (io.BytesIO(TEXT), "in.jsonl")}).json["id"])


def ask(client: FlaskClient, file: str, **headers: str) -> Any:
    return client.get(f"/v1/files/{file}/content", headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=2-4", (2, 4)),
        ("bytes=7-", (7, 9)),
        ("bytes=7-100", (7, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-100", (0, 9)),
        ("BYTES= 1-2 ", (1, 2)),
        *(
            (none, None)
            for none in (None, "", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b")
        ),
    ],
)
def test_what_is_asked_for_of_ten_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    span = read_range(header, 10)
    assert (span and (span.first, span.last)) == expected
    assert read_range(header, 10, of_this=False) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=999999999999999999-"])
def test_behind_the_end_there_is_nothing(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        read_range(header, 10)
    assert refused.value.size == 10


def test_some_of_an_upload(client: FlaskClient, file: str) -> None:
    whole = ask(client, file)
    assert (whole.status_code, whole.data, whole.headers["Accept-Ranges"]) == (200, TEXT, "bytes")
    some = ask(client, file, Range="bytes=100-199")
    assert (some.status_code, some.data) == (206, TEXT[100:200])
    assert some.headers["Content-Range"] == f"bytes 100-199/{len(TEXT)}"
    assert (some.headers["Content-Length"], some.headers["ETag"]) == ("100", whole.headers["ETag"])
    assert ask(client, file, Range="bytes=-7").data == TEXT[-7:]
    assert ask(client, file, Range="bytes=1000-").data == TEXT[1000:]
    head = client.head(f"/v1/files/{file}/content", headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(TEXT)))


def test_behind_the_end_is_416_and_says_how_much_there_is(client: FlaskClient, file: str) -> None:
    answer = ask(client, file, Range=f"bytes={len(TEXT)}-")
    assert (answer.status_code, answer.json["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(TEXT)}"


def test_who_has_some_of_another_file_gets_all_of_this(client: FlaskClient, file: str) -> None:
    tag = ask(client, file).headers["ETag"]
    assert ask(client, file, Range="bytes=0-1", If_Range=tag).status_code == 206
    assert ask(client, file, Range="bytes=0-1", If_Range='"another"').data == TEXT


def test_every_range_of_a_file_in_parts(client: FlaskClient, file: str, worker: Any, settings: Settings) -> None:
    store, parts = BatchFiles(settings), (b"first", b"second one", b"3")
    whole = b"".join(parts)
    for number, part in enumerate(parts):
        with store.writing(file, f"part-{number}") as stream:
            stream.write(part)
        worker.redis.rpush(key("parts", file), f"part-{number} {len(part)}")
    worker.redis.hset(key("file", file), "bytes", len(whole))
    for first in range(len(whole)):
        for last in range(first, len(whole)):
            answer = ask(client, file, Range=f"bytes={first}-{last}")
            assert (answer.status_code, answer.data) == (206, whole[first : last + 1])
    store.drop(file, "part-0")
    store.drop(file, "part-2")
    assert ask(client, file, Range="bytes=6-14").data == whole[6:15], "parts of which nothing is asked for are not opened"
