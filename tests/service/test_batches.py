"""The routes of files and batches, and a coordinator moved by hand."""

from __future__ import annotations

import dataclasses
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from explainery.settings import Settings
from explainery.store.batches import BatchStore
from explainery.store.files import FileStore
from explainery.store.tenants import TenantStore
from service.batches.coordinator import OF_ONE, Coordinator
from service.tenant import HEADER as TENANT

ROW = {"income": 1.0, "debt": 2.0, "owns_home": 0.0, "age": 3.0}
PATIENCE_S = 20.0


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(settings, files=str(tmp_path / "files"), chunk_lines=4, max_file_bytes=2**16)


@pytest.fixture
def coordinator(settings: Settings, worker: Any) -> Iterator[Coordinator]:
    made = Coordinator(settings)
    yield made
    made.stop()
    made.run()  # closes what it holds


def turned(coordinator: Coordinator, condition: Callable[[], object]) -> None:
    """Turn until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "turned in vain"
        if not coordinator.turn():
            time.sleep(0.002)


def line(name: Any, **changes: Any) -> dict[str, Any]:
    body = {"model": "loan", "method": "kernel_shap", "instances": [[1.0, 2.0, 0.0, 3.0]]}
    return {"custom_id": name, "method": "POST", "url": "/v1/explanations", "body": body, **changes}


def jsonl(*lines: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def upload(client: FlaskClient, content: bytes, name: str = "in.jsonl", tenant: str = "default", **form: Any) -> Any:
    data = {"purpose": "batch", "file": (io.BytesIO(content), name), **form}
    return client.post("/v1/files", data=data, headers={TENANT: tenant})


def create(client: FlaskClient, file: str, tenant: str = "default", key: str | None = None, **more: Any) -> Any:
    body = {"input_file_id": file, "endpoint": "/v1/explanations", "completion_window": "24h", **more}
    headers = {TENANT: tenant, **({} if key is None else {"Idempotency-Key": key})}
    return client.post("/v1/batches", json=body, headers=headers)


def ended(client: FlaskClient, coordinator: Coordinator, batch: str) -> dict[str, Any]:
    turned(coordinator, lambda: status(client, batch) in ("completed", "failed", "expired", "cancelled"))
    return dict(client.get(f"/v1/batches/{batch}").json)


def status(client: FlaskClient, batch: str) -> str:
    return str(client.get(f"/v1/batches/{batch}").json["status"])


def content(client: FlaskClient, file: str | None) -> list[dict[str, Any]]:
    return [] if file is None else [json.loads(each) for each in client.get(f"/v1/files/{file}/content").data.splitlines()]


# --- files


def test_a_file_is_stored_shown_read_and_deleted(client: FlaskClient, settings: Settings):
    text = jsonl(line("a"), line("b"))
    file = upload(client, text).json
    about = {name: file[name] for name in ("object", "bytes", "filename", "purpose", "status")}
    assert about == {"object": "file", "bytes": len(text), "filename": "in.jsonl", "purpose": "batch", "status": "processed"}
    assert file["expires_at"] - file["created_at"] == settings.file_ttl_s
    assert client.get(f"/v1/files/{file['id']}").json == file
    got = client.get(f"/v1/files/{file['id']}/content")
    assert (got.data, got.headers["Content-Length"]) == (text, str(len(text)))
    assert client.delete(f"/v1/files/{file['id']}").json == {"id": file["id"], "object": "file", "deleted": True}
    assert client.get(f"/v1/files/{file['id']}").json["code"] == "file_not_found"
    assert not list(Path(settings.files).iterdir())


def test_files_are_listed_in_pages(client: FlaskClient):
    made = [upload(client, jsonl(line("a"))).json["id"] for _ in range(5)]
    first = client.get("/v1/files?limit=2").json
    assert (len(first["data"]), first["has_more"], first["first_id"]) == (2, True, first["data"][0]["id"])
    rest = client.get(f"/v1/files?limit=10&after={first['last_id']}").json
    assert rest["has_more"] is False
    assert {each["id"] for each in [*first["data"], *rest["data"]]} == set(made)
    assert client.get("/v1/files?order=asc").json["data"][0]["id"] == made[0]
    assert client.get("/v1/files?purpose=batch_output").json["data"] == []
    assert client.get("/v1/files?after=file-none").json["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("form", "code", "answer"),
    [
        ({"purpose": "fine-tune"}, "invalid_file", 422),
        ({"content": b""}, "invalid_file", 422),
        ({"content": b"\x00\x01", "name": "rows.bin"}, "invalid_file", 422),
        ({"content": b"no parquet", "name": "rows.parquet"}, "invalid_file", 422),
        ({"content": b"{" * (2**16 + 1)}, "payload_too_large", 413),
        ({f"more{n}": "" for n in range(40)}, "invalid_file", 422),
        ({"expires_after[seconds]": "5", "expires_after[anchor]": "created_at"}, "invalid_file", 422),
    ],
)
def test_what_is_no_file_is_refused_and_leaves_nothing(
    client: FlaskClient, settings: Settings, form: dict[str, Any], code: str, answer: int
):
    said = upload(client, form.pop("content", jsonl(line("a"))), **form)
    assert (said.status_code, said.json["code"]) == (answer, code)
    assert not [path for path in Path(settings.files).rglob("*") if path.is_file()]
    assert client.get("/v1/files").json["data"] == []


def test_only_the_file_may_be_long(guarded: Any):
    client = guarded.client(app=guarded.serve(max_file_bytes=2**23))
    text = jsonl(line("a", more="x" * 2**21))

    def said(more: bytes) -> Any:
        parts = {b'name="purpose"': b"batch", b'name="more"': more, b'name="file"; filename="in.jsonl"': text}
        body = b"".join(b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % each for each in parts.items())
        return client.post("/v1/files", data=body + b"--b--\r\n", content_type="multipart/form-data; boundary=b")

    assert said(b"x" * 2**10).json["bytes"] == len(text)
    long = said(b"x" * 2**20)  # which would lie in memory
    assert (long.status_code, long.json["code"]) == (422, "invalid_file")


def test_a_body_without_a_file_is_refused(client: FlaskClient):
    assert (
        client.post("/v1/files", data={"purpose": "batch"}, content_type="multipart/form-data").json["code"] == "invalid_file"
    )
    assert client.post("/v1/files", json={}).status_code == 415


def test_a_file_may_say_when_it_goes(client: FlaskClient):
    form = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "7200"}
    file = upload(client, jsonl(line("a")), **form).json
    assert file["expires_at"] - file["created_at"] == 7200


def test_a_path_in_a_name_is_dropped(client: FlaskClient):
    assert upload(client, jsonl(line("a")), "../../etc/in.jsonl").json["filename"] == "in.jsonl"


# --- batches


def test_a_batch_answers_each_line(client: FlaskClient, serving: Any, coordinator: Coordinator):
    lines = [line(f"r{n}") for n in range(10)]
    lines[3]["body"] = {**lines[3]["body"], "instances": [["canary"]]}
    made = create(client, upload(client, jsonl(*lines)).json["id"], metadata={"a": "b"})
    assert (made.status_code, made.json["status"], made.json["object"]) == (200, "validating", "batch")
    assert made.json["expires_at"] - made.json["created_at"] == 86400
    found = ended(client, coordinator, made.json["id"])
    assert (found["status"], found["metadata"]) == ("completed", {"a": "b"})
    assert found["request_counts"] == {"total": 10, "completed": 9, "failed": 1}
    good, (bad,) = content(client, found["output_file_id"]), content(client, found["error_file_id"])
    assert {each["custom_id"] for each in good} == {f"r{n}" for n in range(10) if n != 3}
    assert len({each["id"] for each in [*good, bad]}) == 10
    assert (bad["custom_id"], bad["response"]["status_code"], bad["error"]) == ("r3", 422, None)
    assert bad["response"]["body"]["code"] == "invalid_input"
    assert "canary" not in json.dumps(bad["response"])
    for each in good:
        (explanation,) = each["response"]["body"]["explanations"]
        assert explanation["attributions"][0]["data"] == [1.0, 2.0, 0.0, 3.0]
    assert client.get("/v1/explanations").json["jobs"] == []


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (jsonl(line("a")) + b"{not json\n", "invalid_json_line", 2),
        (jsonl(line("a"), [1]), "invalid_json_line", 2),
        (jsonl(line("a"), line("b"), line("a")), "duplicate_custom_id", 3),
        (jsonl(line(7)), "invalid_custom_id", 1),
        (jsonl(line("a", method="GET")), "invalid_method", 1),
        (jsonl(line("a", url="/v1/chat/completions")), "invalid_url", 1),
        (b"\n\n", "empty_file", None),
    ],
)
def test_an_input_that_cannot_be_read_fails_the_batch_and_says_where(
    client: FlaskClient, worker: Any, coordinator: Coordinator, text: bytes, code: str, where: int | None
):
    found = ended(client, coordinator, create(client, upload(client, text).json["id"]).json["id"])
    assert found["status"] == "failed"
    (fault,) = found["errors"]["data"]
    assert (fault["code"], fault["line"]) == (code, where)
    assert found["output_file_id"] is found["error_file_id"] is None
    assert found["failed_at"] is not None


def test_a_cancelled_batch_keeps_what_is_done_and_says_of_the_rest_that_it_was_not(
    client: FlaskClient, worker: Any, coordinator: Coordinator
):
    lines = [line(f"r{n}") for n in range(40)]
    batch = create(client, upload(client, jsonl(*lines)).json["id"]).json["id"]

    def first_are_done() -> bool:
        for claim in worker.jobs.claim("worker-hand", _limits()).claims:
            worker.succeed(claim)
        return bool(client.get(f"/v1/batches/{batch}").json["request_counts"]["completed"] >= 4)

    turned(coordinator, first_are_done)
    said = client.post(f"/v1/batches/{batch}/cancel")
    assert (said.status_code, said.json["status"]) == (200, "cancelling")
    found = ended(client, coordinator, batch)
    assert found["status"] == "cancelled"
    assert found["cancelled_at"] >= found["cancelling_at"]
    good, bad = content(client, found["output_file_id"]), content(client, found["error_file_id"])
    assert 4 <= len(good) < 40
    assert sorted(each["custom_id"] for each in [*good, *bad]) == sorted(f"r{n}" for n in range(40))
    assert all(each["response"] is None and each["error"]["code"] == "batch_cancelled" for each in bad)
    assert found["request_counts"] == {"total": 40, "completed": len(good), "failed": len(bad)}
    assert client.post(f"/v1/batches/{batch}/cancel").json["code"] == "batch_ended"
    assert client.get("/v1/explanations?status=queued").json["jobs"] == []


@pytest.mark.parametrize("how", ["failed", "canceled"])
def test_a_cancelled_batch_ends_though_jobs_of_it_have_ended_without_an_answer(
    client: FlaskClient, worker: Any, coordinator: Coordinator, how: str
):
    lines = [line(f"r{n}") for n in range(8)]
    batch = create(client, upload(client, jsonl(*lines)).json["id"]).json["id"]
    turned(coordinator, lambda: worker.jobs.waiting() == 2)
    for claim in worker.jobs.claim("worker-hand", _limits()).claims:
        if how == "failed":
            worker.fail(claim)
        else:  # by a coordinator that was killed then
            worker.jobs.cancel(claim.spec.id)
    client.post(f"/v1/batches/{batch}/cancel")
    found = ended(client, coordinator, batch)
    assert (found["status"], found["request_counts"]) == ("cancelled", {"total": 8, "completed": 0, "failed": 8})
    bad = content(client, found["error_file_id"])
    assert [each["custom_id"] for each in bad] == [f"r{n}" for n in range(8)]
    codes = {each["error"]["code"] if each["error"] else each["response"]["body"]["code"] for each in bad}
    assert codes <= {"batch_cancelled", "model_failed"}
    assert how == "failed" or "model_failed" not in codes


def test_a_batch_whose_window_is_over_expires(client: FlaskClient, worker: Any, coordinator: Coordinator):
    lines = [line(f"r{n}") for n in range(9)]
    batch = create(client, upload(client, jsonl(*lines)).json["id"], completion_window="1s").json["id"]
    found = ended(client, coordinator, batch)  # nobody works
    assert (found["status"], found["request_counts"]) == ("expired", {"total": 9, "completed": 0, "failed": 9})
    assert {each["error"]["code"] for each in content(client, found["error_file_id"])} == {"batch_expired"}


def test_a_line_on_which_its_job_fails_takes_none_with_it(client: FlaskClient, worker: Any, coordinator: Coordinator):
    lines = [line(f"r{n}") for n in range(4)]
    lines[2]["body"] = {**lines[2]["body"], "instances": [[666.0, 2.0, 0.0, 3.0]]}
    batch = create(client, upload(client, jsonl(*lines)).json["id"]).json["id"]

    def work() -> bool:
        for claim in worker.jobs.claim("worker-hand", _limits()).claims:
            (worker.fail if _poisoned(claim) else worker.succeed)(claim)
        return status(client, batch) == "completed"

    turned(coordinator, work)
    found = client.get(f"/v1/batches/{batch}").json
    assert found["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
    (bad,) = content(client, found["error_file_id"])
    assert (bad["custom_id"], bad["response"]["status_code"], bad["response"]["body"]["code"]) == ("r2", 500, "model_failed")


def test_who_takes_a_batch_over_goes_on_and_who_lost_it_writes_nothing(
    client: FlaskClient, worker: Any, settings: Settings, coordinator: Coordinator
):
    lines = [line(f"r{n}") for n in range(12)]
    batch = create(client, upload(client, jsonl(*lines)).json["id"]).json["id"]
    turned(coordinator, lambda: worker.jobs.waiting() >= 3)  # planned and admitted, and then nothing is heard of it
    worker.redis.zadd("{explainery}:open_batches", {batch: 0})
    second = Coordinator(settings)
    turned(second, lambda: second.turn() or second._drives)

    def work() -> bool:
        for claim in worker.jobs.claim("worker-hand", _limits()).claims:
            worker.succeed(claim)
        second.turn()
        return status(client, batch) == "completed"

    turned(coordinator, work)  # both turn
    second.stop()
    second.run()
    found = client.get(f"/v1/batches/{batch}").json
    assert found["request_counts"] == {"total": 12, "completed": 12, "failed": 0}
    assert sorted(each["custom_id"] for each in content(client, found["output_file_id"])) == sorted(f"r{n}" for n in range(12))
    turned(coordinator, lambda: not coordinator._drives)


def test_a_coordinator_that_is_asked_to_stop_leaves_its_batches_to_others_at_once(
    client: FlaskClient, worker: Any, settings: Settings, coordinator: Coordinator
):
    batch = create(client, upload(client, jsonl(line("a"))).json["id"]).json["id"]
    turned(coordinator, lambda: worker.jobs.waiting() == 1)
    store = BatchStore(worker.redis, settings)
    assert store.take("another") is None
    coordinator.stop()
    coordinator.run()
    lease = store.take("another")
    assert lease is not None
    assert lease.batch == batch


def test_a_batch_that_was_done_in_time_is_completed_though_its_window_ends_meanwhile(
    client: FlaskClient, worker: Any, coordinator: Coordinator
):
    batch = create(client, upload(client, jsonl(line("a"))).json["id"]).json["id"]
    turned(coordinator, lambda: worker.jobs.waiting() == 1)
    worker.succeed(worker.take())
    worker.redis.hset(f"{{explainery}}:batch:{batch}", "expires", 1)
    for drive in coordinator._drives:
        coordinator._drives[drive] = None  # it looks again
    assert ended(client, coordinator, batch)["status"] == "completed"


@pytest.fixture
def strict(settings: Settings, worker: Any) -> Iterator[Coordinator]:
    """A coordinator where callers show who they are: what a tenant may use counts."""
    made = Coordinator(dataclasses.replace(settings, auth="keys"))
    yield made
    made.stop()
    made.run()


def test_a_batch_may_use_the_models_of_its_tenant_and_no_other(
    client: FlaskClient, serving: Any, strict: Coordinator, settings: Settings
):
    TenantStore(serving.redis, settings).set("default", models=["digits"])
    batch = create(client, upload(client, jsonl(line("a"))).json["id"]).json["id"]
    (bad,) = content(client, ended(client, strict, batch)["error_file_id"])
    assert bad["response"]["body"]["code"] == "unknown_model"
    table = create(client, upload(client, b"age,income,sex,debt\n", "t.csv").json["id"], request={"model": "loan"}).json["id"]
    assert ended(client, strict, table)["errors"]["data"][0]["code"] == "unknown_model"


def test_a_batch_waits_where_its_tenants_quota_is_used_up(
    client: FlaskClient, serving: Any, strict: Coordinator, settings: Settings
):
    TenantStore(serving.redis, settings).set("default", jobs=1)
    lines = [line(f"r{n}") for n in range(12)]  # three jobs
    found = ended(client, strict, create(client, upload(client, jsonl(*lines)).json["id"]).json["id"])
    assert (found["status"], found["request_counts"]["completed"]) == ("completed", 12)


def test_a_note_that_is_said_twice_counts_once(settings: Settings, worker: Any, client: FlaskClient, coordinator: Coordinator):
    batch = create(client, upload(client, jsonl(line("a"))).json["id"]).json["id"]
    store = BatchStore(worker.redis, settings)
    lease = store.take("one")
    assert lease is not None
    assert lease.batch == batch
    store.plan(lease, 0, ["plan"])
    for _ in range(2):
        store.commit(lease, 0, [], 1, 0)
    assert store.chunks(batch) == {}
    assert client.get(f"/v1/batches/{batch}").json["request_counts"]["completed"] == 1


def test_a_table_says_what_its_rows_share(client: FlaskClient, serving: Any, coordinator: Coordinator):
    table = b'sex,income,"debt",age\nm,1,2,3\n"f",-1,0,3.5\nx,1,1,1\n'
    file = upload(client, table, "rows.csv").json["id"]
    assert create(client, file).json["code"] == "invalid_request"
    found = ended(client, coordinator, create(client, file, request={"model": "loan", "method": "kernel_shap"}).json["id"])
    assert found["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    said = {each["custom_id"]: each["response"]["body"] for each in content(client, found["output_file_id"])}
    rows = {name: body["explanations"][0]["attributions"][0]["data"] for name, body in said.items()}
    assert rows == {"row-0": [3.0, 1.0, 1.0, 2.0], "row-1": [3.5, -1.0, 0.0, 0.0]}
    named = create(client, file, metadata={"model": "loan", "method": "kernel_shap", "params": '{"samples": 64}'})
    assert ended(client, coordinator, named.json["id"])["request_counts"] == found["request_counts"]


def test_a_table_with_other_columns_fails(client: FlaskClient, worker: Any, coordinator: Coordinator):
    file = upload(client, b"age,canary\n1,2\n", "rows.csv").json["id"]
    found = ended(client, coordinator, create(client, file, request={"model": "loan"}).json["id"])
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "missing_columns")


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"endpoint": "/v1/chat/completions"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": "400d"}, "completion_window"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"request": {"model": "loan"}}, "request"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(client: FlaskClient, change: dict[str, Any], loc: str):
    answer = create(client, upload(client, jsonl(line("a"))).json["id"], **change)
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (422, loc)


def test_the_same_key_makes_one_batch(client: FlaskClient):
    file = upload(client, jsonl(line("a"))).json["id"]
    one, two = create(client, file, key="k"), create(client, file, key="k")
    assert one.json["id"] == two.json["id"]
    assert create(client, file, key="k", completion_window="1h").json["code"] == "idempotency_key_reused"
    assert len(client.get("/v1/batches").json["data"]) == 1


def test_a_batch_is_repeated_though_its_file_is_gone(client: FlaskClient, serving: Any, coordinator: Coordinator):
    file = upload(client, jsonl(line("a"))).json["id"]
    batch = create(client, file, key="k").json["id"]
    ended(client, coordinator, batch)
    assert client.delete(f"/v1/files/{file}").json["deleted"]
    assert create(client, file, key="k").json["id"] == batch
    assert create(client, file, key="k", completion_window="1h").json["code"] == "idempotency_key_reused"
    assert create(client, file, key="other").json["code"] == "file_not_found"


def test_batches_are_listed_in_pages(client: FlaskClient):
    file = upload(client, jsonl(line("a"))).json["id"]
    made = [create(client, file).json["id"] for _ in range(3)]
    first = client.get("/v1/batches?limit=2").json
    rest = client.get(f"/v1/batches?after={first['last_id']}").json
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert {each["id"] for each in [*first["data"], *rest["data"]]} == set(made)


def test_a_file_that_a_batch_reads_stays(client: FlaskClient, serving: Any, coordinator: Coordinator):
    file = upload(client, jsonl(line("a"))).json["id"]
    batch = create(client, file).json["id"]
    assert client.delete(f"/v1/files/{file}").json["code"] == "file_in_use"
    ended(client, coordinator, batch)
    assert client.delete(f"/v1/files/{file}").status_code == 200


def test_another_tenant_sees_nothing(client: FlaskClient, serving: Any, coordinator: Coordinator):
    file = upload(client, jsonl(line("a")), tenant="one").json["id"]
    batch = create(client, file, tenant="one").json["id"]
    turned(coordinator, lambda: client.get(f"/v1/batches/{batch}", headers={TENANT: "one"}).json["status"] == "completed")
    output = client.get(f"/v1/batches/{batch}", headers={TENANT: "one"}).json["output_file_id"]
    other = {TENANT: "two"}
    for verb, path in (
        ("get", f"/v1/files/{file}"), ("get", f"/v1/files/{output}/content"), ("delete", f"/v1/files/{file}"),
        ("get", f"/v1/batches/{batch}"), ("post", f"/v1/batches/{batch}/cancel"), ("get", f"/v1/batches/{batch}/summary"),
    ):  # fmt: skip
        never = path.replace(file[5:31], "0" * 26).replace(batch[6:], "0" * 26).replace(output[5:31], "0" * 26)
        theirs, nobodys = getattr(client, verb)(path, headers=other), getattr(client, verb)(never, headers=other)
        assert theirs.status_code == nobodys.status_code == 404, path
        assert (theirs.json["code"], theirs.json["detail"]) == (nobodys.json["code"], nobodys.json["detail"])
    assert create(client, file, tenant="two").status_code == 404
    assert client.get("/v1/files", headers=other).json["data"] == client.get("/v1/batches", headers=other).json["data"] == []
    assert client.get("/v1/files?after=" + file, headers=other).status_code == 422


def test_the_summary_grows_with_the_batch(client: FlaskClient, serving: Any, coordinator: Coordinator):
    batch = create(client, upload(client, jsonl(*[line(f"r{n}") for n in range(9)])).json["id"]).json["id"]
    assert client.get(f"/v1/batches/{batch}/summary").json == {
        "batch_id": batch, "status": "validating", "complete": False, "rows": 0, "left_out": 0, "groups": [],
    }  # fmt: skip
    ended(client, coordinator, batch)
    said = client.get(f"/v1/batches/{batch}/summary").json
    (group,) = said["groups"]
    assert (said["complete"], said["rows"], group["rows"], group["sampled"]) == (True, 9, 9, 9)
    assert [each["mean"] for each in group["features"]] == [1.0, 2.0, 0.0, 3.0]


def test_files_go_when_their_time_is_over(client: FlaskClient, worker: Any, coordinator: Coordinator, settings: Settings):
    file = upload(client, jsonl(line("a"))).json["id"]
    worker.redis.zadd("{explainery}:files_due", {file: 1})
    turned(coordinator, lambda: client.get(f"/v1/files/{file}").status_code == 404)
    assert not list(Path(settings.files).iterdir())


def test_what_an_upload_that_broke_off_has_left_goes(client: FlaskClient, worker: Any, settings: Settings):
    store, root = FileStore(worker.redis, settings), Path(settings.files)
    kept = upload(client, jsonl(line("a"))).json["id"]
    old, young = "file-0000000000ABCDEFGHJKMNPQRS", FileStore.new_id()
    for name in (old, old + "-output", young, "not ours"):
        (root / name).mkdir()
        (root / name / "whole").write_text("x")
    worker.redis.hset("{explainery}:batch:batch_0000000000ABCDEFGHJKMNPQRT", "tenant", "default")  # a batch that writes still
    (root / "file-0000000000ABCDEFGHJKMNPQRT-output").mkdir()
    assert store.sweep_strays() == 2
    left = {path.name for path in root.iterdir()}
    assert left == {kept, young, "not ours", "file-0000000000ABCDEFGHJKMNPQRT-output"}


def test_a_batch_whose_input_has_vanished_fails(client: FlaskClient, worker: Any, coordinator: Coordinator, settings: Settings):
    file = upload(client, jsonl(line("a"))).json["id"]
    batch = create(client, file).json["id"]
    (Path(settings.files) / file / "whole").unlink()
    found = ended(client, coordinator, batch)
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "input_file_missing")


def test_a_batch_whose_files_cannot_be_written_holds_up_no_other(
    client: FlaskClient, serving: Any, coordinator: Coordinator, settings: Settings
):
    stuck = create(client, upload(client, jsonl(line("a"))).json["id"]).json["id"]
    obstacle = Path(settings.files) / f"file-{stuck.removeprefix('batch_')}-output"
    obstacle.touch()  # where its folder should be
    turned(coordinator, lambda: coordinator._drives)
    other = create(client, upload(client, jsonl(line("b"))).json["id"]).json["id"]
    assert ended(client, coordinator, other)["status"] == "completed"
    assert status(client, stuck) in ("validating", "in_progress")
    obstacle.unlink()
    assert ended(client, coordinator, stuck)["status"] == "completed"


def test_a_tenant_with_many_batches_holds_up_no_other(client: FlaskClient, worker: Any, coordinator: Coordinator):
    file = upload(client, jsonl(line("a"))).json["id"]
    for _ in range(20):
        create(client, file)  # nobody works on them
    turned(coordinator, lambda: len(coordinator._drives) == OF_ONE)
    other = create(client, upload(client, jsonl(line("b")), tenant="other").json["id"], tenant="other").json["id"]
    turned(coordinator, lambda: any(lease.batch == other for lease in coordinator._drives))
    assert len(coordinator._drives) == OF_ONE + 1


def test_a_batch_that_fails_on_its_way_leaves_no_jobs(
    client: FlaskClient, worker: Any, coordinator: Coordinator, settings: Settings
):
    file = upload(client, jsonl(*(line(f"r{n}") for n in range(40)))).json["id"]
    batch = create(client, file).json["id"]
    turned(coordinator, lambda: worker.jobs.waiting() == 4)
    (Path(settings.files) / file / "whole").unlink()
    worker.succeed(worker.jobs.claim("worker-hand", _limits()).claims[0])
    found = ended(client, coordinator, batch)
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "input_file_missing")
    assert client.get("/v1/explanations").json["jobs"] == []


def test_a_batch_that_breaks_and_is_another_coordinators_by_then_is_let_go(
    client: FlaskClient, worker: Any, coordinator: Coordinator, settings: Settings
):
    file = upload(client, jsonl(*(line(f"r{n}") for n in range(4)))).json["id"]
    batch = create(client, file).json["id"]
    turned(coordinator, lambda: worker.jobs.waiting() == 1)
    worker.succeed(worker.jobs.claim("worker-hand", _limits()).claims[0])
    (Path(settings.files) / file / "whole").unlink()
    worker.redis.hincrby(f"{{explainery}}:batch:{batch}", "fence", 1)
    for drive in coordinator._drives:
        coordinator._drives[drive] = None  # it looks again
    turned(coordinator, lambda: not coordinator._drives)


def _limits() -> Any:
    from explainery.store.jobs import Limits

    return Limits(8, 64)


def _poisoned(claim: Any) -> bool:
    from explainery.contract.tensors import unpack

    return any(666.0 in array for array in unpack(claim.inputs).values())
