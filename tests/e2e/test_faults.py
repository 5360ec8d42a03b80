"""Things are killed for real, files change for real; nothing that was accepted is lost."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import httpx
import numpy as np
import repos
from stacks import Stack, until

ROW = [[1.0, 1.0, 1.0]]
EXPECTED = [1.0, 2.0, 3.0]


def attributions(stack: Stack, job_id: str) -> list[float]:
    return list(stack.result(job_id)["explanations"][0]["attributions"][0]["data"])


def test_a_killed_worker_costs_a_retry_and_no_job(fragile: Stack) -> None:
    job_id = fragile.submit("slow", "smoothgrad", ROW, params={"samples": 400, "noise": 0.0})
    until(lambda: (fragile.job(job_id)["progress"] or {"done": 0})["done"] > 0)
    pid = fragile.kill("worker-1")
    until(lambda: (job := fragile.job(job_id))["attempts"] == 2 and job["status"] == "running", within_s=15)
    assert fragile.pid("worker-1") != pid
    np.testing.assert_allclose(attributions(fragile, job_id), EXPECTED, atol=1e-9)
    assert fragile.job(job_id)["attempts"] == 2


def test_a_killed_redis_loses_nothing_accepted(fragile: Stack) -> None:
    ids = [fragile.submit("linear", "exact_shapley", [[float(n), 1.0, 1.0]]) for n in range(20)]
    running = fragile.submit("slow", "smoothgrad", ROW, params={"samples": 300, "noise": 0.0})
    until(lambda: fragile.job(running)["status"] == "running")
    waiting = [fragile.submit("slow", "saliency", ROW) for _ in range(5)]
    pid = fragile.kill("redis")
    until(lambda: fragile.pid("redis") != pid)
    until(lambda: fragile.http.get("/readyz").status_code == 200)
    for number, job_id in enumerate(ids):
        np.testing.assert_allclose(attributions(fragile, job_id), [number, 2.0, 3.0], atol=1e-9)
    for job_id in (running, *waiting):
        np.testing.assert_allclose(attributions(fragile, job_id), EXPECTED, atol=1e-9)


def test_a_killed_api_comes_back(fragile: Stack) -> None:
    job_id = fragile.submit("slow", "smoothgrad", ROW, params={"samples": 100, "noise": 0.0})
    pid = fragile.kill("service")
    until(lambda: fragile.pid("service") != pid)
    until(lambda: answers(fragile))
    np.testing.assert_allclose(attributions(fragile, job_id), EXPECTED, atol=1e-9)


def answers(stack: Stack) -> bool:
    try:
        return stack.http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_changed_file_fails_the_job(fragile: Stack) -> None:
    """Admitted against one file, the model is another by the time a worker looks."""
    blocker = fragile.submit("slow", "smoothgrad", ROW, params={"samples": 150})
    until(lambda: fragile.job(blocker)["status"] == "running")
    job_id = fragile.submit("table", "saliency", [[1.0, 1.0, 0.0, 2.0]])
    table = repos.tensor_input("input", [4], modality="tabular", features=["age", "sex_f", "sex_m", "income"])
    repos.add_torch(fragile.models, "table", "nets:linear", {"features": 4}, table, repos.output(1, kind="regression"), seed=5)
    ended = fragile.ended(job_id)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "model_changed")
    again = fragile.post({"model": "table", "method": "saliency", "instances": [[1.0, 1.0, 0.0, 2.0]]}, Prefer="wait=20")
    until(
        lambda: (
            succeeded(fragile, again.json()["id"])
            or succeeded(fragile, fragile.submit("table", "saliency", [[1.0, 1.0, 0.0, 2.0]]))
        )
    )


def succeeded(stack: Stack, job_id: str) -> bool:
    return bool(stack.ended(job_id)["status"] == "succeeded")


def test_a_file_that_cannot_be_loaded(fragile: Stack) -> None:
    (folder := fragile.models / "onnx" / "2").mkdir()
    shutil.copy(fragile.models / "onnx" / "1" / "card.toml", folder / "card.toml")
    (folder / "model.onnx").write_bytes(b"this is no model")
    until(lambda: len(fragile.http.get("/v1/models/onnx").json()["versions"]) == 2)
    broken = fragile.ended(fragile.submit("onnx", "feature_ablation", ROW))
    assert (broken["status"], broken["error"]["code"]) == ("failed", "model_unloadable")
    assert succeeded(fragile, fragile.submit("onnx@1", "feature_ablation", ROW))


def test_one_new_file_adds_a_method(tmp_path: Path) -> None:
    """Dropped into a plugin folder: listed, validated and run, with no other change."""
    (methods := tmp_path / "plugins" / "methods").mkdir(parents=True)
    (methods / "leave_two_in.py").write_text(
        '''
"""The value each player adds to the empty coalition, scaled."""
import numpy as np
from explainery.contract.catalogue import MethodSpec, Param
from workers.questions import Solution, Values

SPEC = MethodSpec(
    name="first_in", title="First in", summary="What each feature adds to the baseline alone.", asks=("values",),
    params=(Param(name="scale", type="number", default=1.0, minimum=0.5, maximum=2.0, help="Factor."),),
    completeness=False, reference="A test.",
)

def explain(game, params):
    values = yield Values(np.eye(game.players, dtype=bool))
    return Solution(per_player=params["scale"] * (values - game.baseline_output))

def cost(players, params):
    return players
''',
        encoding="utf-8",
    )
    stack = Stack(tmp_path, EXPLAINERY_PLUGINS=str(tmp_path / "plugins"))
    repos.add_stub(stack.models, "linear", 3, weights=[1.0, 2.0, 3.0], bias=1.0)
    stack.start()
    try:
        assert stack.http.get("/v1/methods/first_in").json()["title"] == "First in"
        np.testing.assert_allclose(
            attributions(stack, stack.submit("linear", "first_in", ROW, params={"scale": 2.0})), [2.0, 4.0, 6.0]
        )
        refused = stack.post({"model": "linear", "method": "first_in", "instances": ROW, "params": {"scale": 3.0}})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")
    finally:
        assert stack.stop() == 0


def test_without_a_worker_the_service_is_not_ready_but_accepts(fragile: Stack) -> None:
    """The worker is stopped, not dead: after its lease the service says so, and what is accepted then is done later."""
    pid = fragile.pid("worker-1")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: fragile.http.get("/readyz").status_code == 503)
        assert "worker" in fragile.http.get("/readyz").text
        job_id = fragile.submit("linear", "saliency", ROW)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert succeeded(fragile, job_id)
