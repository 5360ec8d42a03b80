"""A remote model's server dies in the middle of a job, with a whole service around it."""

from __future__ import annotations

from collections.abc import Iterator

import far_side
import numpy as np
import pytest
import repos
from far_sides import FarSide, add_remote
from stacks import Stack, until

ROW = [[0.5, -0.25, 1.0, 0.75]]
SECRET = "hunter2-of-the-far-side"  # noqa: S105  # a made-up one


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    server = FarSide(tmp_path_factory.mktemp("far"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, far: FarSide) -> Iterator[Stack]:
    """It logs all it can: what must not be in a log is looked for there."""
    running = Stack(
        tmp_path_factory.mktemp("stack"),
        EXPLAINERY_REMOTE_ALLOWED="127.0.0.1",
        EXPLAINERY_SECRET_FAR=SECRET,
        EXPLAINERY_MAX_RETRIES="2",
        EXPLAINERY_LOG_LEVEL="debug",
    )
    headers = {"Authorization": "EXPLAINERY_SECRET_FAR"}
    add_remote(running.models, "far", far.url, binary=True, batch=1, concurrency=1, retries=0, headers=headers)
    add_remote(running.models, "patient", far.url, timeout_s=60)
    add_remote(running.models, "elsewhere", "http://models.test")
    repos.add_stub(running.models, "linear", 4, weights=[1.0, 2.0, 3.0, 4.0])
    running.start()
    yield running
    assert running.stop() == 0
    logs = list(running.home.rglob("*.log"))
    assert logs
    assert not any(SECRET in path.read_text(errors="replace") for path in logs)


@pytest.fixture(autouse=True)
def _living(far: FarSide) -> Iterator[None]:
    """The server lives, and takes its time: a job is long enough to be interrupted."""
    far.kill()
    far.start()
    far.switch(delay_s=0.05, count=-1)
    yield
    far.kill()


def interrupted(stack: Stack, far: FarSide, seed: int) -> str:
    """A job whose model's server has died while it was under way."""
    job_id = stack.submit("far", "exact_shapley", ROW * 3, seed=seed)
    until(lambda: (stack.job(job_id)["progress"] or {"done": 0})["done"] > 0)
    far.kill()
    return job_id


def test_a_server_that_comes_back_costs_a_retry_and_no_job(stack: Stack, far: FarSide) -> None:
    job_id = interrupted(stack, far, seed=1)
    until(lambda: stack.job(job_id)["status"] == "queued")
    far.start()
    result = stack.result(job_id)
    job = stack.job(job_id)
    assert job["attempts"] >= 2
    assert result["environment"]["remote_version"] == "2"
    [outputs] = far_side.waves(np.array(ROW)).tolist()
    [instance] = {explanation["instance_output"] for explanation in result["explanations"]}
    np.testing.assert_allclose(instance, max(outputs), atol=1e-6)
    assert SECRET not in str(result) + str(job) + stack.http.get("/v1/models/far").text


def test_a_server_that_stays_dead_fails_the_job_and_nothing_else(stack: Stack, far: FarSide) -> None:
    worker = stack.pid("worker-1")
    job_id = interrupted(stack, far, seed=2)
    neighbour = stack.submit("linear", "exact_shapley", ROW)
    job = stack.ended(job_id)
    assert (job["status"], job["error"]["code"], job["error"]["retryable"]) == ("failed", "remote_unavailable", True)
    assert job["attempts"] == 3
    assert str(far.port) in job["error"]["detail"]
    np.testing.assert_allclose(
        stack.result(neighbour)["explanations"][0]["attributions"][0]["data"], [0.5, -0.5, 3.0, 3.0], atol=1e-9
    )
    assert stack.pid("worker-1") == worker


def test_a_canceled_job_does_not_hold_its_worker(stack: Stack, far: FarSide) -> None:
    """Its call waits for a server that is silent; it ends, and the process need not."""
    worker = stack.pid("worker-1")
    stack.result(stack.submit("patient", "feature_ablation", ROW))
    far.switch(delay_s=45, count=1)
    before = far.seen()["asked"]
    job_id = stack.submit("patient", "exact_shapley", ROW)
    until(lambda: far.seen()["asked"] > before)
    assert stack.http.post(f"/v1/explanations/{job_id}/cancel").status_code == 200
    stack.result(stack.submit("linear", "feature_ablation", ROW))
    assert stack.pid("worker-1") == worker


def test_a_server_that_is_there_again_is_asked_again(stack: Stack, far: FarSide) -> None:
    assert stack.result(stack.submit("far", "feature_ablation", ROW))["model"]["runtime"] == "remote"


def test_a_host_that_is_not_allowed_is_refused_at_the_door(stack: Stack) -> None:
    refused = stack.post({"model": "elsewhere", "method": "kernel_shap", "instances": ROW})
    assert (refused.status_code, refused.json()["code"]) == (422, "model_not_usable")
    assert "EXPLAINERY_REMOTE_ALLOWED" in refused.json()["detail"]


def test_methods_that_need_gradients_are_refused_at_the_door(stack: Stack) -> None:
    refused = stack.post({"model": "far", "method": "saliency", "instances": ROW})
    assert (refused.status_code, refused.json()["code"]) == (422, "method_unavailable")
    assert "served elsewhere" in refused.json()["detail"]
