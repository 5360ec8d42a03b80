"""Many clients ask the same at once: it is computed once, and everybody has the answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
from redis import Redis
from stacks import Stack

from explainery.store.keys import key

JOBS = 100
BODY = {
    "model": "slow",
    "method": "smoothgrad",
    "instances": [[1.0, 2.0, 0.125]],
    "params": {"samples": 50, "noise": 0.0},
}


def claimed(stack: Stack) -> int:
    with Redis(port=int((stack.home / "redis" / "port").read_text())) as redis:
        return int(redis.hget(key("counts"), "claimed") or 0)


def test_a_hundred_that_ask_the_same_cost_one_computation(stack: Stack) -> None:
    before = claimed(stack)

    def submit(_: int) -> httpx.Response:
        return httpx.post(f"{stack.http.base_url}/v1/explanations", json=BODY, timeout=30)

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(submit, range(JOBS)))
    assert {answer.status_code for answer in answers} == {202}
    ids = [answer.json()["id"] for answer in answers]
    assert len(set(ids)) == JOBS
    results = [stack.result(job_id) for job_id in ids]
    assert claimed(stack) == before + 1
    first = [job_id for job_id in ids if stack.job(job_id)["dedupe_of"] is None]
    assert len(first) == 1
    assert all(stack.job(job_id)["attempts"] == (job_id in first) for job_id in ids)
    assert [result["id"] for result in results] == ids
    assert {str(result["explanations"]) for result in results} == {str(results[0]["explanations"])}
