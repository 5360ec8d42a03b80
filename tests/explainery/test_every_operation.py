"""Every operation of the served document is in both clients and in the command line; a new one without them is a red test.

A proxy in front of a real service notes which operation each call is.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from recording import Recording, recording

from explainery import AsyncClient, Client, ClientError, ServiceError
from explainery.cli.main import main

ROW = [[1.0, 2.0, 3.0]]
V1 = {"instances": ROW, "parameters": {"method": "exact_shapley"}}
V2 = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 3], "data": ROW[0]}], "parameters": {"method": "exact_shapley"}}
HOOK = "https://hooks.example/explainery"
WAYS = [{"method": "exact_shapley"}, {"method": "feature_ablation"}]


@dataclass(frozen=True)
class Things:
    """What calls may name: `{sampled}` in an argument is the field of that name."""

    done: str
    sampled: str
    gone: str
    comparison: str
    background: str
    webhook: str
    rows: str
    v1: str
    v2: str
    row: str
    out: str
    picture: str
    lines: str
    file: str
    batch: str


def call(name: str, *args: Any, **kwargs: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return name, args, kwargs


Called = tuple[str, tuple[Any, ...], dict[str, Any]]
OPERATIONS: dict[str, tuple[Called, str]] = {
    "submit_explanation": (
        call("submit", "linear", ROW, "exact_shapley"), "explain --model linear --method exact_shapley --input {rows}"
    ),
    "estimate_explanation": (call("estimate", "linear", ROW), "explain --estimate --model linear --input {rows}"),
    "list_explanations": (call("jobs"), "jobs list"),
    "get_explanation": (call("job", "{done}"), "jobs show {done}"),
    "cancel_explanation": (call("cancel", "{done}"), "jobs cancel {done}"),
    "forget_explanation": (call("forget", "{gone}"), "jobs forget {gone}"),
    "refine_explanation": (call("refine", "{sampled}", samples=64), "jobs refine {sampled} --samples 128"),
    "get_partial": (call("partial", "{done}"), "jobs partial {done}"),
    "get_result": (call("result", "{done}"), "jobs result {done} -o {out}"),
    "get_figure": (call("figure", "{done}", "waterfall", "json"), "plot {done} -o {picture}"),
    "stream_explanation_events": (call("events", "{done}"), "watch {done}"),
    "stream_events": (call("events", after="1-1"), "watch --after 1-1"),
    "submit_comparison": (
        call("submit_comparison", "linear", ROW, WAYS),
        "compare --no-wait --model linear --method exact_shapley --method feature_ablation --input {rows}",
    ),
    "get_comparison": (call("comparison", "{comparison}"), "comparisons show {comparison}"),
    "get_comparison_result": (call("comparison_result", "{comparison}"), "comparisons result {comparison}"),
    "cancel_comparison": (call("cancel_comparison", "{comparison}"), "comparisons cancel {comparison}"),
    "forget_comparison": (call("forget_comparison", "{gone}"), "comparisons forget {gone}"),
    "store_background": (call("store_background", "linear", ROW), "backgrounds store --model linear --input {rows}"),
    "list_backgrounds": (call("backgrounds"), "backgrounds list"),
    "get_background": (call("background", "{background}"), "backgrounds show {background}"),
    "forget_background": (call("forget_background", "{gone}"), "backgrounds forget {gone}"),
    "add_webhook": (call("add_webhook", HOOK), f"webhooks add {HOOK}"),
    "list_webhooks": (call("webhooks"), "webhooks list"),
    "get_webhook": (call("webhook", "{webhook}"), "webhooks show {webhook}"),
    "remove_webhook": (call("remove_webhook", "{gone}"), "webhooks remove {gone}"),
    "list_deliveries": (call("webhook_deliveries", "{webhook}"), "webhooks deliveries {webhook}"),
    "rotate_webhook_secret": (call("rotate_webhook_secret", "{webhook}"), "webhooks rotate-secret {webhook}"),
    "ping_webhook": (call("ping_webhook", "{webhook}"), "webhooks ping {webhook}"),
    "upload_file": (call("create_file", "{lines}"), "files upload {lines}"),
    "list_files": (call("files"), "files list"),
    "get_file": (call("file", "{file}"), "files show {file}"),
    "get_file_content": (call("file_lines", "{file}"), "files content {file}"),
    "delete_file": (call("delete_file", "{gone}"), "files delete {gone}"),
    "create_batch": (call("create_batch", "{file}"), "batch submit {lines}"),
    "list_batches": (call("batches"), "batch list"),
    "get_batch": (call("batch", "{batch}"), "batch status {batch}"),
    "cancel_batch": (call("cancel_batch", "{batch}"), "batch cancel {batch}"),
    "summarise_batch": (call("batch_summary", "{batch}"), "batch summary {batch}"),
    "list_models": (call("models"), "models list"),
    "add_model": (call("add_model", "new", {"m.onnx": b"x"}), "models upload {row} --name new"),
    "get_model": (call("model", "linear"), "models show linear"),
    "get_layers": (call("layers", "linear"), "models layers linear"),
    "list_methods": (call("methods"), "methods"),
    "get_method": (call("method", "lime"), "methods lime"),
    "list_quality_checks": (call("quality_checks"), "methods --checks"),
    "get_health": (call("alive"), "health"),
    "get_readiness": (call("ready"), "health"),
    "get_metrics": (call("metrics"), "health --metrics"),
    "get_liveness_v1": (call("alive_v1"), "protocols live-v1"),
    "explain_v1": (call("explain_v1", "linear", V1), "protocols explain-v1 linear {v1}"),
    "predict_v1": (call("predict_v1", "linear", {"instances": ROW}), "protocols predict-v1 linear {v1}"),
    "get_server_v2": (call("server_v2"), "protocols server-v2"),
    "get_live_v2": (call("live_v2"), "protocols live-v2"),
    "get_ready_v2": (call("ready_v2"), "protocols ready-v2"),
    "get_model_v2": (call("model_v2", "linear"), "protocols model-v2 linear"),
    "get_model_v2_of_version": (call("model_v2", "linear", version="1"), "protocols model-v2 linear --version 1"),
    "get_model_ready_v2": (call("model_ready_v2", "linear"), "protocols ready-v2 linear"),
    "get_model_ready_v2_of_version": (
        call("model_ready_v2", "linear", version="1"), "protocols ready-v2 linear --version 1"
    ),
    "infer_v2": (call("infer_v2", "linear", V2), "protocols infer-v2 linear {v2}"),
    "infer_v2_of_version": (call("infer_v2", "linear", V2, version="1"), "protocols infer-v2 linear {v2} --version 1"),
    "explain_torchserve": (call("explain_torchserve", "linear", ROW[0]), "protocols explain-torchserve linear {row}"),
    "explain_torchserve_of_version": (
        call("explain_torchserve", "linear", ROW[0], version="1", method="exact_shapley"),
        "protocols explain-torchserve linear {row} --version 1 --query method=exact_shapley",
    ),
    "explain_torchserve_by_put": (
        call("explain_torchserve", "linear", ROW[0], put=True), "protocols explain-torchserve linear {row} --put"
    ),
    "explain_torchserve_of_version_by_put": (
        call("explain_torchserve", "linear", ROW[0], version="1", put=True),
        "protocols explain-torchserve linear {row} --version 1 --put",
    ),
}  # fmt: skip
"""Operation -> how the clients say it, and how the command line does."""

REFUSED = {
    "add_model": 403, "cancel_explanation": 409, "forget_explanation": 404, "get_partial": 409, "forget_comparison": 404,
    "cancel_comparison": 409, "delete_file": 404, "cancel_batch": 409,
    "forget_background": 404, "remove_webhook": 404, "get_layers": 404,
}  # fmt: skip
"""Operations that this service refuses as it stands, with a problem that the client tells."""
ENDLESS = "stream_events"


@pytest.fixture(scope="module")
def proxy(service: Any) -> Iterator[Recording]:
    with recording(service.url) as noted:
        yield noted


@pytest.fixture(scope="module")
def things(service: Any, tmp_path_factory: pytest.TempPathFactory) -> Things:
    folder = tmp_path_factory.mktemp("operations")
    with Client(service.url) as client:
        done = client.submit("linear", ROW, "exact_shapley", wait_s=60).id
        sampled = client.submit("linear", ROW, "kernel_shap", wait_s=60, params={"samples": 64, "tolerance": 0}).id
        comparison = client.submit_comparison("linear", ROW, WAYS)
        for variant in comparison["variants"]:
            client.wait(variant["job"]["id"], 60)
        background = client.store_background("linear", ROW)
        webhook = client.add_webhook(HOOK)["id"]
        line = {"custom_id": "1", "method": "POST", "url": "/v1/explanations", "body": {"model": "linear", "instances": ROW}}
        (folder / "lines.jsonl").write_text(json.dumps(line))
        file = client.create_file(folder / "lines.jsonl")["id"]
        batch = client.wait_for_batch(client.create_batch(file)["id"], timeout_s=60)["id"]
    files = {"rows": "1,2,3\n", "v1": json.dumps(V1), "v2": json.dumps(V2), "row": json.dumps(ROW[0])}
    for name, text in files.items():
        (folder / f"{name}.{'csv' if name == 'rows' else 'json'}").write_text(text)
    return Things(
        done, sampled, "0" * 26, comparison["id"], background, webhook, str(folder / "rows.csv"), str(folder / "v1.json"),
        str(folder / "v2.json"), str(folder / "row.json"), str(folder / "out.npz"), str(folder / "out.json"),
        str(folder / "lines.jsonl"), file, batch,
    )  # fmt: skip


@pytest.fixture(scope="module")
def templates(service: Any) -> dict[str, tuple[str, re.Pattern[str]]]:
    """Operation -> verb and pattern of its path, those with the fewest parameters first."""
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    found = {
        operation["operationId"]: (verb.upper(), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))))
        for path, verbs in sorted(paths.items(), key=lambda each: (each[0].count("{"), -len(each[0])))
        for verb, operation in verbs.items()
        if isinstance(operation, dict) and "operationId" in operation
    }
    assert len(found) == sum(len(verbs) for verbs in paths.values())
    return found


def operation_of(request: tuple[str, str], templates: dict[str, tuple[str, re.Pattern[str]]]) -> str:
    verb, path = request
    found = [name for name, (its, pattern) in templates.items() if its == verb and pattern.fullmatch(path.replace("%40", "@"))]
    assert found, request
    return found[0]


def filled(value: Any, things: Things) -> Any:
    return value.format(**vars(things)) if isinstance(value, str) else value


def test_every_operation_is_listed_here(templates):
    assert set(OPERATIONS) == set(templates)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_client_that_blocks_has_it(operation, proxy, things, templates):
    name, args, kwargs = OPERATIONS[operation][0]
    proxy.requests.clear()
    with Client(proxy.url, retries=0) as client:
        run(operation, lambda: getattr(client, name)(*[filled(each, things) for each in args], **kwargs))
    assert operation in {operation_of(each, templates) for each in proxy.requests}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_client_that_awaits_has_it(operation, proxy, things, templates):
    name, args, kwargs = OPERATIONS[operation][0]
    proxy.requests.clear()

    async def ask() -> Any:
        async with AsyncClient(proxy.url, retries=0) as client:
            asked = getattr(client, name)(*[filled(each, things) for each in args], **kwargs)
            if not inspect.isasyncgen(asked):
                return await asked
            if operation == ENDLESS:
                return await anext(asked), await asked.aclose()
            return [each async for each in asked]

    run(operation, lambda: asyncio.run(ask()))
    assert operation in {operation_of(each, templates) for each in proxy.requests}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_command_line_has_it(operation, proxy, things, templates):
    line = [filled(word, things) for word in OPERATIONS[operation][1].split()]
    proxy.requests.clear()
    if operation == ENDLESS:  # a command without end: it runs until nobody reads it any more
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("click.echo", _stop)
            with suppress(_Stopped):
                CliRunner().invoke(main, [*line, "--url", proxy.url], catch_exceptions=False)
    else:
        told = CliRunner().invoke(main, [*line, "--url", proxy.url])
        assert told.exit_code == (3 if operation in REFUSED else 0), told.output + told.stderr
    assert operation in {operation_of(each, templates) for each in proxy.requests}


def run(operation: str, ask: Callable[[], Any]) -> None:
    if operation in REFUSED:
        with pytest.raises(ServiceError) as refused:
            ask()
        assert refused.value.status == REFUSED[operation]
        return
    asked = ask()
    if isinstance(asked, Iterator):
        found = next(asked) if operation == ENDLESS else list(asked)
        asked.close()  # type: ignore[attr-defined]
        assert found


class _Stopped(Exception):
    pass


def _stop(*_: object, **__: object) -> None:
    raise _Stopped


# --- safe retries


def test_a_submit_whose_answer_is_lost_is_one_job(proxy, service):
    with Client(proxy.url) as client:
        proxy.lose = 2
        job = client.submit("linear", np.array(ROW), "exact_shapley", decision_id="lost", fresh=True)
        assert proxy.lose == 0
        assert [each.id for each in client.jobs(decision_id="lost")] == [job.id]
        assert client.wait(job, 60).status == "succeeded"


def test_many_rows_over_a_line_that_loses_answers_are_explained_once(proxy):
    rows = np.random.default_rng(0).normal(size=(12, 3))
    with Client(proxy.url) as client:
        how = {"baseline": "zeros", "target": None, "rows_per_job": 4, "progress": False, "decision_id": "lossy"}
        many = client.explain_many("linear", rows, "exact_shapley", **how)
        proxy.lose = 2
        found = [each.values[0] for each in many]
        assert len(list(client.jobs(decision_id="lossy"))) == 3
    np.testing.assert_allclose(found, rows * [1.0, 2.0, 3.0], atol=1e-9)


def test_what_carries_no_key_is_not_sent_again(proxy, things):
    proxy.requests.clear()
    with Client(proxy.url) as client:
        proxy.lose = 1
        with pytest.raises(ClientError, match="broke off"):
            client.ping_webhook(things.webhook)
    assert len(proxy.requests) == 1


def test_a_sampled_job_is_refined_once(proxy, things):
    with Client(proxy.url) as client:
        proxy.lose = 1
        job = client.refine(things.sampled, samples=256, wait_s=30, decision_id="refined once")
        assert [each.id for each in client.jobs(decision_id="refined once")] == [job.id]


def test_files_are_written_where_they_were_asked_for(things, service):
    run = CliRunner().invoke(main, ["jobs", "result", things.done, "-o", things.out, "--url", service.url])
    assert run.exit_code == 0, run.output
    with np.load(things.out) as saved:
        assert "attributions.x" in saved.files
