"""The client against the real service: submit, wait, result, and every way it can go wrong."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from explainery import Client, ClientError, ExplanationResult, JobFailed, ServiceError, ServiceUnreachable, WaitTimedOut
from explainery.contract.errors import InputNotFinite, InvalidInput
from explainery.contract.job import JobState
from explainery.supervisor.ports import free_port

ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
WEIGHTS = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def client(service) -> Iterator[Client]:
    with Client(service.url) as made:
        yield made


def test_explain_gives_arrays(client: Client):
    result = client.explain("linear", ROWS, "exact_shapley", target=None, baseline="zeros", seed=7)
    assert isinstance(result, ExplanationResult)
    np.testing.assert_allclose(result.attributions["x"], ROWS * WEIGHTS, atol=1e-9)
    np.testing.assert_allclose(result.instance_output, ROWS @ WEIGHTS)
    np.testing.assert_allclose(result.baseline_output, [0.0, 0.0])
    assert result.standard_errors == {}
    assert [explanation.quality.verdict for explanation in result.explanations] == ["pass", "pass"]
    assert (result.result.method, result.result.seed, result.result.model.name) == ("exact_shapley", 7, "linear")


def test_an_estimate_is_what_the_job_then_costs(client: Client):
    told = client.estimate("linear", ROWS, "exact_shapley", target=None, baseline="zeros")
    cost = client.explain("linear", ROWS, "exact_shapley", target=None, baseline="zeros", fresh=True).result.cost
    assert told.model_evaluations.exact
    assert (told.model_evaluations.expected, told.gradient_evaluations.expected) == (cost.model_evaluations, 0)
    assert cost.compute_seconds is not None
    assert 0 < cost.compute_seconds <= cost.seconds
    assert told.seconds > 0


def test_a_comparison_tells_how_far_its_answers_agree(client: Client):
    ways = [{"method": "exact_shapley"}, {"method": "feature_ablation", "label": "one out"}]
    found = client.compare("linear", ROWS, ways, target=None, baseline="zeros", top=2, timeout_s=60)
    (pair,) = found["pairs"]
    assert pair["labels"] == ["exact_shapley", "one out"]  # of a linear model they are the same
    assert pair["mean"] == {"rank_correlation": pytest.approx(1.0), "top_overlap": 1.0, "sign_agreement": 1.0}
    assert len(found["variants"][1]["quality"]) == 2


def test_a_comparison_can_be_looked_at_canceled_and_forgotten(client: Client):
    made = client.submit_comparison("slow", ROWS, [{"method": "exact_shapley"}, {"method": "feature_ablation"}], fresh=True)
    assert client.comparison(made["id"])["id"] == made["id"]
    assert client.cancel_comparison(made["id"])["status"] == "canceled"
    with pytest.raises(ServiceError) as refused:
        client.comparison_result(made["id"])
    assert refused.value.status == 409
    client.forget_comparison(made["id"])
    with pytest.raises(ServiceError) as gone:
        client.comparison(made["id"])
    assert gone.value.code == "comparison_gone"


def test_submit_wait_result(client: Client):
    job = client.submit("linear", ROWS, "exact_shapley", decision_id="loan-1")
    ended = client.wait(job.id, timeout_s=60)
    assert ended.status is JobState.SUCCEEDED
    assert (ended.id, ended.rows, ended.decision_id) == (job.id, 2, "loan-1")
    np.testing.assert_allclose(client.result(job).attributions["x"], ROWS * WEIGHTS, atol=1e-9)


def test_submit_can_wait_by_itself(client: Client):
    assert client.submit("linear", ROWS, "exact_shapley", wait_s=60).status is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "inputs",
    [
        {"left": np.array([[1, 2]]), "right": np.array([[3]])},
        [{"left": [1, 2], "right": [3]}],
        [{"left": np.array([1.0, 2.0]).tolist(), "right": [3.0]}],
        [
            {"name": "left", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]},
            {"name": "right", "datatype": "FP32", "shape": [1, 1], "data": [3]},
        ],
    ],
    ids=["arrays", "instances", "lists", "tensors"],
)
def test_every_form_of_inputs_means_the_same(client: Client, inputs):
    result = client.explain("pair", inputs, "exact_shapley", target="yes", baseline="zeros")
    np.testing.assert_allclose(result.attributions["left"], [[0.0, 2.0]], atol=1e-6)
    np.testing.assert_allclose(result.attributions["right"], [[6.0]], atol=1e-6)
    assert result.explanations[0].target.label == "yes"


def test_progress_is_told_until_the_end(client: Client):
    told = []
    job = client.submit("slow", ROWS, "exact_shapley", target=None, fresh=True)
    client.wait(job, timeout_s=60, progress=told.append)
    assert told[-1].status is JobState.SUCCEEDED
    assert len(told) >= 2
    assert [seen.revision for seen in told] == sorted({seen.revision for seen in told})  # each change once


def test_waiting_has_an_end_and_the_job_goes_on(client: Client):
    job = client.submit("slow", np.ones((50, 3)), "exact_shapley")
    with pytest.raises(WaitTimedOut) as raised:
        client.wait(job, timeout_s=0.3)
    assert raised.value.job.id == job.id
    assert client.cancel(job).status is JobState.CANCELED
    with pytest.raises(JobFailed, match=f"Job {job.id} canceled"):
        client.result(job.id)
    with pytest.raises(ServiceError) as ended:
        client.cancel(job)
    assert (ended.value.status, ended.value.code) == (409, "job_ended")


def test_a_failed_job_is_an_exception_with_its_job(client: Client):
    with pytest.raises(JobFailed) as raised:
        client.explain("broken", [{"left": [1, 2], "right": [3]}], "exact_shapley", target="no")
    assert raised.value.job.error is not None
    assert raised.value.job.error.code == "model_output_not_finite"
    assert "model_output_not_finite" in str(raised.value)


def test_a_result_asked_for_too_early_is_a_conflict(client: Client):
    job = client.submit("slow", np.ones((50, 3)), "exact_shapley")
    with pytest.raises(ServiceError) as raised:
        client.result(job)
    assert (raised.value.status, raised.value.code) == (409, "job_not_finished")
    client.cancel(job)


def test_problems_are_typed(client: Client):
    with pytest.raises(ServiceError) as raised:
        client.submit("linear", ROWS, "exact_shapley", params={"speed": 3})
    problem = raised.value
    assert (problem.status, problem.code, problem.retryable, problem.refused) == (422, "invalid_parameter", False, True)
    assert problem.errors[0]["loc"] == "params.speed"
    assert isinstance(problem, ClientError)


def test_forgotten_and_unknown_jobs(client: Client):
    job = client.submit("linear", ROWS, "exact_shapley", wait_s=60)
    client.forget(job)
    with pytest.raises(ServiceError) as gone:
        client.job(job.id)
    assert gone.value.status == 410
    with pytest.raises(ServiceError) as unknown:
        client.job("0" * 26)
    assert unknown.value.status == 404


def test_jobs_are_listed_over_pages(client: Client):
    mine = [client.submit("linear", ROWS[:1], "exact_shapley", decision_id="many").id for _ in range(60)]  # a page has 50
    assert [job.id for job in client.jobs(decision_id="many")] == mine[::-1]
    assert next(client.jobs(model="linear", status=None)).model.name == "linear"
    assert list(client.jobs(decision_id="nobody's")) == []


def test_catalogue_and_readiness(client: Client):
    assert {"linear", "pair"} <= {model["name"] for model in client.models()}
    assert client.model("linear")["versions"][0]["card"]["inputs"][0]["features"] == ["age", "income", "debt"]
    assert "exact_shapley" in {method["name"] for method in client.methods()}
    assert client.ready()


def test_results_as_files(client: Client):
    job = client.submit("linear", ROWS, "exact_shapley", wait_s=60)
    document = json.loads(client.result_bytes(job, "application/json"))
    assert document["explanations"][0]["attributions"][0]["data"] == pytest.approx([1.0, 4.0, 9.0])


def test_arrays_are_checked_before_they_travel(client: Client):
    with pytest.raises(InputNotFinite):
        client.submit("linear", np.array([[1.0, np.nan, 2.0]]))
    with pytest.raises(InvalidInput, match="left: 1, right: 2"):
        client.submit("pair", {"left": np.ones((1, 2)), "right": np.ones((2, 1))})
    with pytest.raises(InvalidInput):
        client.submit("linear", np.float64(3.0) * np.ones(()))


def test_nobody_there():
    with Client(f"http://127.0.0.1:{free_port()}", retries=1) as client:
        with pytest.raises(ServiceUnreachable, match="explainery up"):
            client.models()
        with pytest.raises(ServiceUnreachable):
            client.submit("linear", ROWS)
        with pytest.raises(ServiceUnreachable):
            client.ready()


# --- a service that stumbles: a real HTTP server with scripted answers

JOB = {
    "id": "01K", "status": "queued", "model": {"name": "m", "version": "1", "digest": "sha256:0", "size": 3},
    "method": "saliency", "rows": 1, "seed": 0, "created_at": "2026-01-01T00:00:00Z", "attempts": 0,
    "links": {"self": "/"}, "shiny": "and new",
}  # fmt: skip
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def stumbling() -> Iterator[Callable[[list[Answer]], tuple[Client, list[str]]]]:
    """Serve these answers one after another; give back a client and the requests that came."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread, Client]] = []

    def serve(answers: list[Answer]) -> tuple[Client, list[str]]:
        seen: list[str] = []
        keys: list[str | None] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append(self.command)
                keys.append(self.headers.get("Idempotency-Key"))
                status, headers, body = answers[min(len(seen), len(answers)) - 1]
                if status:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                self.close_connection = True

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        client = Client(f"http://127.0.0.1:{server.server_port}", timeout_s=5)
        client.keys = keys  # type: ignore[attr-defined]
        servers.append((server, thread, client))
        return client, seen

    yield serve
    for server, thread, client in servers:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()


GOOD: Answer = (200, {}, json.dumps(JOB).encode())
BROKEN_OFF: Answer = (0, {}, b"")
AWAY: Answer = (503, {"Retry-After": "0"}, json.dumps({"code": "store_unavailable", "detail": "Redis is away."}).encode())


def test_reading_is_tried_again(stumbling):
    client, seen = stumbling([BROKEN_OFF, AWAY, GOOD])
    assert client.job("01K").status is JobState.QUEUED
    assert seen == ["GET"] * 3


def test_what_was_too_much_is_asked_again(stumbling):
    too_much = (429, {"Retry-After": "0"}, json.dumps({"code": "quota_exceeded", "detail": "Wait."}).encode())
    client, seen = stumbling([too_much, GOOD])
    assert client.submit("m", ROWS).status is JobState.QUEUED
    assert seen == ["POST"] * 2


def test_reading_is_not_tried_for_ever(stumbling):
    client, seen = stumbling([AWAY])
    with pytest.raises(ServiceError) as raised:
        client.job("01K")
    assert (raised.value.status, raised.value.code, raised.value.retryable) == (503, "store_unavailable", True)
    assert len(seen) == 5


def test_a_submit_is_tried_again_under_its_key(stumbling):
    client, seen = stumbling([BROKEN_OFF, AWAY, GOOD])
    assert client.submit("m", ROWS).status is JobState.QUEUED
    assert seen == ["POST"] * 3
    assert len(set(client.keys)) == 1  # type: ignore[attr-defined]  # noted by the server
    client.submit("m", ROWS)
    assert len(set(client.keys)) == 2  # type: ignore[attr-defined]


def test_what_carries_no_key_is_sent_once(stumbling):
    client, seen = stumbling([AWAY, GOOD])
    with pytest.raises(ServiceError):
        client.cancel("01K")
    assert seen == ["POST"]


def test_an_answer_of_somebody_in_between_is_told_by_its_status(stumbling):
    client, _ = stumbling([(502, {}, b"<html>Bad Gateway</html>")])
    with pytest.raises(ServiceError, match="502 Bad Gateway") as raised:
        client.job("01K")
    assert raised.value.code == "unexpected_answer"


def test_fields_of_a_newer_service_are_left_out(stumbling):
    client, _ = stumbling([GOOD])
    job = client.job("01K")
    assert (job.id, job.model.name, job.progress, job.revision) == ("01K", "m", None, 0)


def test_images_travel_as_they_are():
    from explainery.client.body import rows

    image = {"b64": base64.b64encode(b"png").decode(), "media_type": "image/png"}
    assert rows([image]) == {"instances": [image]}
