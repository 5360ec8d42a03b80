"""Two tenants: what one has changes nothing that the other can see, on any route there is.

Every route is asked as `outsider`, an operator of its own tenant: first while nobody else has anything, by ids that never
were; then while `insider` has jobs in every state, comparisons, webhooks and backgrounds, by the ids of all these. The answers
must be the same, but for the ids that were asked for. A new route fails the walk until it has a line in `WALK`.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

ROW = [[1.0, 2.0, 0.0, 3.0], [4.0, 5.0, 1.0, 6.0]]
JOB = {"model": "loan", "method": "kernel_shap", "instances": ROW, "seed": 7, "decision_id": "loan-1"}
ONCE = {"Idempotency-Key": '"the same of both"'}
ASYNC = {"Prefer": "respond-async"}
HOOK = {"url": "https://hooks.example.com/here"}
V2 = {"inputs": [{"name": "row", "datatype": "FP32", "shape": [1, 4], "data": ROW[0]}], "parameters": {"method": "kernel_shap"}}
NEVER = {
    "job_id": "0" * 26,
    "comparison_id": "0" * 26,
    "webhook_id": "wh_" + "0" * 26,
    "background_id": "sha256:" + "0" * 64,
    "file_id": "file-" + "0" * 26,
    "batch_id": "batch_" + "0" * 26,
}
"""An id that never was, by the name that rules give it."""
PLACES = {"job_id": "explanations", "comparison_id": "comparisons", "webhook_id": "webhooks", "background_id": "backgrounds"}
PLACES |= {"file_id": "files", "batch_id": "batches"}
FIXED = {"name": "loan", "version": "1", "kind": "bars", "form": "svg"}
"""What rules name besides ids, and is the same for all."""


@dataclasses.dataclass(frozen=True)
class Ask:
    """How a route is asked. `query`: behind its path. `told`: it tells an operator of all tenants, and is not compared."""

    json: Any = None
    data: Any = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    query: str = ""
    told: bool = False


WALK: dict[str, Ask] = {
    "POST /v1/explanations": Ask(json=JOB, headers=ONCE),
    "GET /v1/explanations": Ask(),
    "POST /v1/explanations:estimate": Ask(json=JOB),
    "GET /v1/explanations/<job_id>": Ask(),
    "GET /v1/explanations/<job_id>/result": Ask(),
    "GET /v1/explanations/<job_id>/partial": Ask(),
    "GET /v1/explanations/<job_id>/events": Ask(),
    "GET /v1/explanations/<job_id>/figures/<kind>.<form>": Ask(),
    "POST /v1/explanations/<job_id>/cancel": Ask(),
    "POST /v1/explanations/<job_id>/refine": Ask(json={"samples": 8}),
    "DELETE /v1/explanations/<job_id>": Ask(),
    "GET /v1/events": Ask(),
    "POST /v1/comparisons": Ask(json={**JOB, "variants": [{"seed": 1} | {"method": "exact_shapley"}, {"label": "same"}]}),
    "GET /v1/comparisons/<comparison_id>": Ask(),
    "GET /v1/comparisons/<comparison_id>/result": Ask(),
    "POST /v1/comparisons/<comparison_id>/cancel": Ask(),
    "DELETE /v1/comparisons/<comparison_id>": Ask(),
    "GET /v1/webhooks": Ask(),
    "POST /v1/webhooks": Ask(json=HOOK),
    "GET /v1/webhooks/<webhook_id>": Ask(),
    "DELETE /v1/webhooks/<webhook_id>": Ask(),
    "GET /v1/webhooks/<webhook_id>/deliveries": Ask(),
    "POST /v1/webhooks/<webhook_id>/ping": Ask(),
    "POST /v1/webhooks/<webhook_id>/rotate-secret": Ask(json={}),
    "GET /v1/backgrounds": Ask(),
    "GET /v1/backgrounds/<background_id>": Ask(),
    "DELETE /v1/backgrounds/<background_id>": Ask(),
    "POST /v1/backgrounds": Ask(json={"model": "loan", "rows": ROW[:1]}),
    "POST /v1/files": Ask(),
    "GET /v1/files": Ask(),
    "GET /v1/files/<file_id>": Ask(),
    "GET /v1/files/<file_id>/content": Ask(),
    "DELETE /v1/files/<file_id>": Ask(),
    "POST /v1/batches": Ask(json={"input_file_id": "{file_id}", "endpoint": "/v1/explanations"}),
    "GET /v1/batches": Ask(),
    "GET /v1/batches/<batch_id>": Ask(),
    "GET /v1/batches/<batch_id>/summary": Ask(),
    "POST /v1/batches/<batch_id>/cancel": Ask(),
    "GET /v1/models": Ask(),
    "POST /v1/models": Ask(),
    "GET /v1/models/<name>": Ask(),
    "GET /v1/models/<name>/layers": Ask(),
    "POST /v1/models/<string:name>:explain": Ask(json={"instances": ROW}, headers=ASYNC | ONCE),
    "POST /v1/models/<string:name>:predict": Ask(json={"instances": ROW}, headers=ASYNC),
    "GET /v1/methods": Ask(),
    "GET /v1/methods/<name>": Ask(),
    "GET /v1/quality-checks": Ask(),
    "GET /v2": Ask(),
    "GET /v2/health/live": Ask(),
    "GET /v2/health/ready": Ask(),
    "GET /v2/models/<name>": Ask(),
    "GET /v2/models/<name>/versions/<version>": Ask(),
    "GET /v2/models/<name>/ready": Ask(),
    "GET /v2/models/<name>/versions/<version>/ready": Ask(),
    "POST /v2/models/<name>/infer": Ask(json=V2, headers=ASYNC),
    "POST /v2/models/<name>/versions/<version>/infer": Ask(json=V2, headers=ASYNC),
    "POST /explanations/<name>": Ask(json=ROW[0], headers=ASYNC),
    "PUT /explanations/<name>": Ask(json=ROW[0], headers=ASYNC),
    "POST /explanations/<name>/<version>": Ask(json=ROW[0], headers=ASYNC),
    "PUT /explanations/<name>/<version>": Ask(json=ROW[0], headers=ASYNC),
    "GET /": Ask(),
    "GET /healthz": Ask(),
    "GET /readyz": Ask(),
    "GET /docs": Ask(),
    "GET /openapi.json": Ask(),
    "GET /metrics": Ask(told=True),
}
"""Every route. What takes a filter or names something in its body has more lines in `MORE`."""
MORE: list[tuple[str, Ask]] = [
    ("GET /v1/explanations", Ask(query="?decision_id=loan-1")),
    ("GET /v1/explanations", Ask(query="?status=queued&model=loan")),
    ("GET /v1/explanations", Ask(query="?limit=1")),
    ("POST /v1/explanations", Ask(json=JOB | {"baseline": {"background": {"id": "{background_id}"}}})),
    ("GET /v1/events", Ask(headers={"Last-Event-ID": "1-1"})),
]
OLD_TENANTS = ("outsider-0", "outsider-1")
UNSTABLE = re.compile(
    "|".join(
        (
            r"(?<![0-9A-Z])[0-9A-HJKMNP-TV-Z]{26}(?![0-9A-Z])",  # ULIDs
            r"\d{4}-\d\d-\d\dT[\d:.]+Z",
            r"whsec_[A-Za-z0-9+/=]+",
            r"\b\d{13,}-\d+\b",  # places of events
            *OLD_TENANTS,
        )
    )
)
SAID = ("Location", "ETag", "Retry-After", "Content-Type", "Vary", "Preference-Applied", "Idempotent-Replayed", "Allow")


def rules(app: Any) -> set[str]:
    return {
        f"{method} {rule.rule.replace('<plain:', '<')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def filled(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(f"<{name}>", value).replace(f"<string:{name}>", value).replace("{" + name + "}", value)
    return text


def placed(body: Any, ids: dict[str, str]) -> Any:
    """The body with ids in it."""
    if isinstance(body, dict):
        return {name: placed(value, ids) for name, value in body.items()}
    return filled(body, ids) if isinstance(body, str) else body


def seen(client: FlaskClient, route: str, ask: Ask, ids: dict[str, str]) -> tuple[Any, ...]:
    """What an outsider can see of an answer, but for what differs each time and the ids it has named itself."""
    method, rule = route.split(" ", 1)
    path = filled(rule, {**FIXED, **ids})
    answer = client.open(
        path + ask.query, method=method, json=placed(ask.json, ids), data=ask.data, headers=ask.headers, buffered=False
    )
    text = "".join(beginning(answer)) if answer.is_streamed else answer.get_data(as_text=True)
    answer.close()
    text = re.sub(r'"instance":"[^"]*"', "", text)
    for value in ids.values():
        text = text.replace(value, "<id>")
    headers = {name: UNSTABLE.sub("*", answer.headers[name]) for name in SAID if name in answer.headers}
    return answer.status_code, headers, UNSTABLE.sub("*", text)


def beginning(answer: Any) -> Iterator[str]:
    """A stream up to its first heartbeat: everything that was there to be told."""
    for piece in answer.iter_encoded():
        text = piece.decode()
        yield text
        if text.startswith(":"):
            return


def walked(client: FlaskClient, ids: dict[str, list[str]]) -> dict[tuple[int, str], list[tuple[Any, ...]]]:
    """Every line of the walk, once for each id of the kind that it names."""
    found: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
    for number, (route, ask) in enumerate([*WALK.items(), *MORE]):
        if ask.told:
            continue
        named = [name for name in ids if f"<{name}>" in route or "{" + name + "}" in repr(ask.json)]
        chosen = [{named[0]: value} for value in ids[named[0]]] if named else [{}]
        found[number, route] = [seen(client, route, ask, each) for each in chosen]
    return found


@pytest.fixture
def insider(guarded: Any) -> FlaskClient:
    return guarded.client("insider")


def filled_world(insider: FlaskClient, worker: Any) -> dict[str, list[str]]:
    """Everything that a tenant can have; its ids by kind."""

    def job(**more: Any) -> str:
        answer = insider.post("/v1/explanations", json=JOB | more, headers=more.pop("headers", {}))
        assert answer.status_code == 202, answer.text
        return str(answer.json["id"])

    background = insider.post("/v1/backgrounds", json={"model": "loan", "rows": ROW}).json["id"]
    webhook = insider.post("/v1/webhooks", json=HOOK).json["id"]
    insider.post(f"/v1/webhooks/{webhook}/ping")
    line = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/explanations", "body": JOB}).encode()
    sent = {"purpose": "batch", "file": (io.BytesIO(line), "rows.jsonl")}
    file = insider.post("/v1/files", data=sent, content_type="multipart/form-data").json["id"]
    batch = insider.post("/v1/batches", json={"input_file_id": file, "endpoint": "/v1/explanations"}).json["id"]
    succeeded = job(seed=1)
    assert worker.succeed(worker.take())
    failed = job(seed=2)
    assert worker.fail(worker.take())
    running = job(seed=3)
    worker.take()
    canceled, forgotten = job(seed=4), job(seed=5)
    insider.post(f"/v1/explanations/{canceled}/cancel")
    insider.delete(f"/v1/explanations/{forgotten}")
    queued = [job(seed=seed) for seed in range(6, 10)]
    same = insider.post("/v1/explanations", json=JOB, headers=ONCE).json["id"]
    insider.post("/v1/models/loan:explain", json={"instances": ROW}, headers=ASYNC | ONCE)
    variants = {"variants": [{"method": "exact_shapley"}, {"label": "same"}]}
    comparisons = [insider.post("/v1/comparisons", json=JOB | variants | {"seed": seed}).json["id"] for seed in (10, 11)]
    insider.delete(f"/v1/comparisons/{comparisons[1]}")
    jobs = [succeeded, failed, running, canceled, forgotten, same, *queued]
    return {"job_id": jobs, "comparison_id": comparisons, "webhook_id": [webhook], "background_id": [background]} | {
        "file_id": [file],
        "batch_id": [batch],
    }


def own_view(insider: FlaskClient, ids: dict[str, list[str]]) -> list[tuple[int, Any]]:
    """All that the insider sees of its own."""
    paths = [f"/v1/{PLACES[kind]}/{each}" for kind, found in ids.items() for each in found]
    paths += [f"/v1/explanations/{each}/result" for each in ids["job_id"]]
    paths += [f"/v1/webhooks/{each}/deliveries" for each in ids["webhook_id"]]
    paths += ["/v1/explanations", "/v1/webhooks", "/v1/backgrounds"]
    return [(answer.status_code, re.sub(r'"instance":"[^"]*"', "", answer.text)) for answer in map(insider.get, paths)]


def test_every_route_is_walked(guarded: Any) -> None:
    there = rules(guarded.app)
    assert there - set(WALK) == set(), "add a line to WALK in this file: how is it asked, and what might it tell of others?"
    assert set(WALK) - there == set(), "these routes are gone: take their lines out of WALK"


def test_what_one_tenant_has_changes_nothing_that_another_sees(
    guarded: Any, insider: FlaskClient, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explainery.store.runs.FRESH_S", -1.0)  # estimates are read anew each time, not once a second
    never = {kind: [value] for kind, value in NEVER.items()}
    alone = walked(guarded.client(OLD_TENANTS[0]), never)
    for claim in iter(lambda: worker.jobs.claim("worker-hand", _one()).claims, []):
        worker.fail(claim[0])
    ids = filled_world(insider, worker)
    before = own_view(insider, ids)
    beside = walked(guarded.client(OLD_TENANTS[1], app=guarded.serve()), ids)  # one that has seen nothing yet
    for place, (expected, *_) in alone.items():
        for answer in beside[place]:
            assert answer == expected, place
    assert own_view(insider, ids) == before, "the outsider has changed something of the insider's"


def _one() -> Any:
    from explainery.store.jobs import Limits

    return Limits(1, 64)


def test_ids_of_others_are_404_and_those_that_never_were_the_same(guarded: Any, insider: FlaskClient, worker: Any) -> None:
    """That the comparison above compares refusals, and not two faults."""
    ids = filled_world(insider, worker)
    outsider = guarded.client(OLD_TENANTS[0])
    for route, ask in WALK.items():
        for kind in [kind for kind in ids if f"<{kind}>" in route]:
            for each in [*ids[kind], NEVER[kind]]:
                status, _, text = seen(outsider, route, ask, {kind: each})
                assert (status, "not_found" in text) == (404, True), (route, each)


def test_another_s_id_costs_redis_what_one_costs_that_never_was(guarded: Any, insider: FlaskClient, worker: Any) -> None:
    """So that time tells nothing either: the same commands, and replies of the same size but for a few bytes."""
    ids = filled_world(insider, worker)
    outsider = guarded.client(OLD_TENANTS[0])

    def cost(path: str) -> tuple[dict[str, int], int]:
        outsider.get("/v1/methods")  # the offer is fresh for a moment, and the key's last use noted
        before, sent = worker.redis.info("commandstats"), worker.redis.info("stats")["total_net_output_bytes"]
        assert outsider.get(path).status_code == 404
        after, sent_after = worker.redis.info("commandstats"), worker.redis.info("stats")["total_net_output_bytes"]
        calls = {name: said["calls"] - before.get(name, {"calls": 0})["calls"] for name, said in after.items()}
        return {name: count for name, count in calls.items() if count and name != "cmdstat_info"}, sent_after - sent

    kinds = {"explanations": "job_id", "comparisons": "comparison_id"}
    for place, kind in kinds.items():
        for suffix in ("", "/result"):
            theirs, never = (cost(f"/v1/{place}/{each}{suffix}") for each in (ids[kind][0], NEVER[kind]))
            assert theirs[0] == never[0]
            assert abs(theirs[1] - never[1]) < 700


def test_cursors_do_not_count_what_others_did(guarded: Any, insider: FlaskClient, worker: Any) -> None:
    outsider = guarded.client(OLD_TENANTS[0])
    for seed in range(3):
        outsider.post("/v1/explanations", json=JOB | {"seed": seed})
        insider.post("/v1/explanations", json=JOB | {"seed": seed})
    page = outsider.get("/v1/explanations?limit=1").json
    assert int(page["cursor"], 16) == 3


def test_only_operators_and_monitors_read_the_metrics(guarded: Any) -> None:
    roles = ("viewer", "submitter", "monitor", "operator")
    told = {role: guarded.client("one", role).get("/metrics").status_code for role in roles}
    assert told == {"viewer": 403, "submitter": 403, "monitor": 200, "operator": 200}
