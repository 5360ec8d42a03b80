"""The client: submit, wait, result, and `explain` for all three."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from explainery.client.body import rows
from explainery.client.events import Event, listen
from explainery.client.outcome import ExplanationResult, read_job, read_result
from explainery.client.problems import JobFailed, ServiceError, WaitTimedOut
from explainery.client.transport import Transport
from explainery.contract.estimate import Estimate
from explainery.contract.job import Job
from explainery.settings import text

if TYPE_CHECKING:
    from explainery.client.body import Inputs

_JOBS = "/v1/explanations"
_WEBHOOKS = "/v1/webhooks"
_COMPARISONS = "/v1/comparisons"
_POLL_S = 20.0
"""How long one long poll asks the service to hold its answer."""
_SAFETENSORS = "application/vnd.safetensors"


class Client:
    """A client of one service. Safe to share between threads; close it, or use it in a `with` block.

    `api_key`: an API key, or a token of your identity provider; EXPLAINERY_API_KEY (or the file that EXPLAINERY_API_KEY_FILE
    names) when not given. Every method raises ServiceError for a problem the service states and ServiceUnreachable when nobody
    answers.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
    ) -> None:
        self._transport = Transport(base_url, timeout_s, retries, text("api_key") if api_key is None else api_key)
        self._retries = retries

    def submit(
        self,
        model: str,
        inputs: Inputs,
        method: str = "auto",
        *,
        wait_s: float = 0.0,
        cancel_after_s: float | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """Hand in a job; with `wait_s`, wait that long for its end.

        `inputs`: one array [rows, ...], arrays by input name, a list of instances, or named tensors. `options`: the other
        fields of the request (`params`, `target`, `baseline`, `seed`, `decision_id`, `deadline_s`, `budget`, `priority`,
        `fresh`); left out, the service's defaults apply. `cancel_after_s`: when the job is canceled if it has not ended. Tried
        again when the connection breaks or the service is away: an `idempotency_key`, your own or a new one, makes it one job
        all the same.
        """
        body = {"model": model, "method": method, **rows(inputs), **options}
        prefer = f"wait={_whole_seconds(wait_s)}" if wait_s > 0 else "respond-async"
        headers = {"Prefer": prefer, "Idempotency-Key": _quoted(idempotency_key or str(uuid4()))}
        if cancel_after_s is not None:
            headers["Cancel-After"] = f"{cancel_after_s:.3f}"
        response = self._transport.again("POST", _JOBS, wait_s=wait_s, json=body, headers=headers)
        return read_job(response.json())

    def estimate(self, model: str, inputs: Inputs, method: str = "auto", **options: Any) -> Estimate:
        """What a job would cost: calls of the model, seconds, memory, the wait. Nothing enters; takes what `submit` does."""
        body = {"model": model, "method": method, **rows(inputs), **options}
        told = self._transport.send("POST", f"{_JOBS}:estimate", json=body).json()["estimate"]
        return Estimate.model_validate(told, extra="ignore")

    def compare(
        self,
        model: str,
        inputs: Inputs,
        variants: Sequence[Mapping[str, Any]],
        *,
        timeout_s: float | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Explain the same rows in several ways, wait, and say how far the answers agree: per pair, with the worst places.

        `variants`: what each has of its own: `method`, `params`, `model`, `baseline`, `label`. `options`: as of `submit`, and
        `top`. Raises ServiceError (409) when a job did not succeed, WaitTimedOut after `timeout_s`.
        """
        comparison = self.submit_comparison(model, inputs, variants, **options)
        end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        for variant in comparison["variants"]:
            self.wait(variant["job"]["id"], None if timeout_s is None else max(0.0, end - time.monotonic()))
        return self.comparison_result(comparison["id"])

    def submit_comparison(
        self, model: str, inputs: Inputs, variants: Sequence[Mapping[str, Any]], **options: Any
    ) -> dict[str, Any]:
        """Hand in a comparison; its jobs are ordinary ones."""
        body = {"model": model, **rows(inputs), "variants": [dict(variant) for variant in variants], **options}
        return dict(self._transport.send("POST", _COMPARISONS, json=body).json())

    def comparison(self, comparison_id: str) -> dict[str, Any]:
        """A comparison and its jobs as they are now."""
        return dict(self._transport.get(f"{_COMPARISONS}/{comparison_id}").json())

    def comparison_result(self, comparison_id: str) -> dict[str, Any]:
        """How far the answers agree. Raises ServiceError (409) before all jobs have succeeded."""
        return dict(self._transport.get(f"{_COMPARISONS}/{comparison_id}/result").json())

    def cancel_comparison(self, comparison_id: str) -> dict[str, Any]:
        """Cancel those of its jobs that have not ended. Raises ServiceError (409) when all had."""
        return dict(self._transport.send("POST", f"{_COMPARISONS}/{comparison_id}/cancel").json())

    def forget_comparison(self, comparison_id: str) -> None:
        """Delete a comparison and its jobs for good."""
        self._transport.send("DELETE", f"{_COMPARISONS}/{comparison_id}")

    def wait(self, job: Job | str, timeout_s: float | None = None, progress: Callable[[Job], None] | None = None) -> Job:
        """Wait until the job has ended, however it ends, and return it; `progress` is called with each change.

        Raises WaitTimedOut after `timeout_s`; the job itself goes on.
        """
        end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        response = self._transport.get(f"{_JOBS}/{_id(job)}")
        while True:
            known = read_job(response.json())
            if progress is not None:
                progress(known)
            if known.status.ended:
                return known
            changed = self._next(response, known.id, end)
            if changed is None:
                raise WaitTimedOut(known, timeout_s or 0.0)
            response = changed

    def _next(self, response: httpx.Response, job_id: str, end: float) -> httpx.Response | None:
        """The job's next state after `response`, by long polls; None when there is none before `end`."""
        seen = {"If-None-Match": response.headers["ETag"]} if "ETag" in response.headers else {}
        while (left_s := end - time.monotonic()) > 0:
            wait_s = _whole_seconds(min(left_s, _POLL_S))
            answer = self._transport.get(f"{_JOBS}/{job_id}", wait_s=wait_s, headers={"Prefer": f"wait={wait_s}", **seen})
            if answer.status_code != httpx.codes.NOT_MODIFIED:
                return answer
        return None

    def events(self, job: Job | str | None = None, *, after: str | None = None) -> Iterator[Event]:
        """What becomes of a job, as it happens and until it has ended; without a job, of all jobs, and without end.

        `after`: the id of the last event that came, behind which to go on; else a job's stream begins with how it stands, and
        that of all jobs now. Connections that break are made again, and lose none.
        """
        path = "/v1/events" if job is None else f"{_JOBS}/{_id(job)}/events"
        return listen(self._transport, path, after, self._retries)

    def result(self, job: Job | str) -> ExplanationResult:
        """The result of a job that succeeded.

        Raises JobFailed when it ended otherwise, ServiceError (409) when it has not ended.
        """
        return read_result(self.result_bytes(job, _SAFETENSORS))

    def result_bytes(self, job: Job | str, media_type: str) -> bytes:
        """The result as a file: JSON, a NumPy archive or safetensors, by its media type."""
        return self._of_result(job, "result", headers={"Accept": media_type})

    def _of_result(self, job: Job | str, path: str, **options: Any) -> bytes:
        try:
            return self._transport.get(f"{_JOBS}/{_id(job)}/{path}", **options).content
        except ServiceError as error:
            if error.status == httpx.codes.CONFLICT and (known := self.job(_id(job))).status.ended:
                raise JobFailed(known) from None
            raise

    def figure(
        self,
        job: Job | str,
        kind: str = "auto",
        form: str = "svg",
        *,
        row: int = 0,
        input: str | None = None,
        layer: str | None = None,
        head: int | None = None,
    ) -> bytes:
        """A picture of one row of the result, as svg, png, html or json.

        Raises JobFailed when the job ended without a result, ServiceError (404, 422) for a kind that there is not or that does
        not fit; it names those that do.
        """
        asked = {"row": row, "input": input, "layer": layer, "head": head}
        query = {name: value for name, value in asked.items() if value is not None}
        return self._of_result(job, f"figures/{quote(kind, safe='')}.{form}", params=query)

    def explain(
        self,
        model: str,
        inputs: Inputs,
        method: str = "auto",
        *,
        timeout_s: float | None = None,
        progress: Callable[[Job], None] | None = None,
        **options: Any,
    ) -> ExplanationResult:
        """Submit, wait, result. Raises JobFailed when the job ends without one, WaitTimedOut after `timeout_s`."""
        begun = time.monotonic()
        first_s = 1.0 if progress else _POLL_S
        job = self.submit(model, inputs, method, wait_s=min(first_s, timeout_s or first_s), **options)
        if not job.status.ended:
            left_s = None if timeout_s is None else timeout_s - (time.monotonic() - begun)
            job = self.wait(job, left_s, progress)
        return self.result(job)

    def refine(self, job: Job | str, *, samples: int = 0, wait_s: float = 0.0, **options: Any) -> Job:
        """Go on from a job that succeeded, by a method that samples: a new job, which answers for all samples together.

        `samples`: how many each row may take in addition. `options`: `tolerance`, `budget`, `deadline_s`, `priority`,
        `decision_id`. Raises ServiceError: 409 before the job has succeeded, 410 when its answers are no longer kept, 422 when
        its method does not sample.
        """
        prefer = f"wait={_whole_seconds(wait_s)}" if wait_s > 0 else "respond-async"
        body, path = {"samples": samples, **options}, f"{_JOBS}/{_id(job)}/refine"
        return read_job(self._transport.send("POST", path, wait_s=wait_s, json=body, headers={"Prefer": prefer}).json())

    def partial(self, job: Job | str) -> dict[str, Any]:
        """The running estimate of a job at work, by a method that samples, with its standard errors. One row of it.

        Raises ServiceError (409) when there is none, not yet or no more.
        """
        return dict(self._transport.get(f"{_JOBS}/{_id(job)}/partial").json())

    def job(self, job_id: str) -> Job:
        """The job as it is now."""
        return read_job(self._transport.get(f"{_JOBS}/{job_id}").json())

    def jobs(self, *, status: str | None = None, model: str | None = None, decision_id: str | None = None) -> Iterator[Job]:
        """Every job that matches, newest first; pages are fetched as they are needed."""
        wanted = {"status": status, "model": model, "decision_id": decision_id}
        query = {name: value for name, value in wanted.items() if value is not None}
        while True:
            page = self._transport.get(_JOBS, params=query).json()
            yield from map(read_job, page["jobs"])
            if not page.get("cursor"):
                return
            query["cursor"] = page["cursor"]

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job that has not ended. Raises ServiceError (409) when it had."""
        return read_job(self._transport.send("POST", f"{_JOBS}/{_id(job)}/cancel").json())

    def forget(self, job: Job | str) -> None:
        """Delete job, inputs and result for good."""
        self._transport.send("DELETE", f"{_JOBS}/{_id(job)}")

    def add_webhook(self, url: str, types: list[str] | None = None, *, description: str = "") -> dict[str, Any]:
        """Have an address told of jobs, by default of every end; the answer's `secret` is shown this once."""
        body: dict[str, Any] = {"url": url, "description": description, **({} if types is None else {"types": types})}
        return dict(self._transport.send("POST", _WEBHOOKS, json=body).json())

    def webhooks(self) -> list[dict[str, Any]]:
        """The webhooks there are, the oldest first."""
        return list(self._transport.get(_WEBHOOKS).json()["webhooks"])

    def webhook(self, webhook_id: str) -> dict[str, Any]:
        """One webhook: whether it is disabled and why, and how many attempts have failed in a row."""
        return dict(self._transport.get(f"{_WEBHOOKS}/{webhook_id}").json())

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove a webhook, and what waits for it."""
        self._transport.send("DELETE", f"{_WEBHOOKS}/{webhook_id}")

    def ping_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Send a test to a webhook; `webhook_deliveries` says what became of it."""
        return dict(self._transport.send("POST", f"{_WEBHOOKS}/{webhook_id}/ping").json())

    def webhook_deliveries(self, webhook_id: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """What was delivered to a webhook, what waits, and what failed, newest first."""
        page = self._transport.get(f"{_WEBHOOKS}/{webhook_id}/deliveries", params={"limit": limit}).json()
        return list(page["deliveries"])

    def store_background(self, model: str, inputs: Inputs) -> str:
        """Store a background set; its id, for `baseline={"background": {"id": ...}}`. Kept a while after its last use."""
        body = {"model": model, "rows": _instances(inputs)}
        return str(self._transport.send("POST", "/v1/backgrounds", json=body).json()["id"])

    def backgrounds(self) -> list[str]:
        """The ids of the background sets that are stored, the last used first."""
        return list(self._transport.get("/v1/backgrounds").json()["backgrounds"])

    def background(self, background_id: str) -> dict[str, Any]:
        """What a stored background set holds: how many rows, of which shapes."""
        return dict(self._transport.get(f"/v1/backgrounds/{background_id}").json())

    def forget_background(self, background_id: str) -> None:
        """Delete a stored background set."""
        self._transport.send("DELETE", f"/v1/backgrounds/{background_id}")

    def models(self) -> list[dict[str, Any]]:
        """The models on offer, each with its card, versions and which methods it can be explained by."""
        return list(self._transport.get("/v1/models").json()["models"])

    def model(self, name: str) -> dict[str, Any]:
        """One model."""
        return dict(self._transport.get(f"/v1/models/{name}").json())

    def layers(self, name: str) -> list[dict[str, Any]]:
        """The layers of a model, in the order in which they put out their results, and the methods that work on each."""
        return list(self._transport.get(f"/v1/models/{name}/layers").json()["layers"])

    def methods(self) -> list[dict[str, Any]]:
        """The methods on offer, each with its parameters."""
        return list(self._transport.get("/v1/methods").json()["methods"])

    def quality_checks(self) -> list[dict[str, Any]]:
        """The checks that `quality` may name, each with its parameters."""
        return list(self._transport.get("/v1/quality-checks").json()["checks"])

    def ready(self) -> bool:
        """Whether the service can take jobs: Redis answers and a worker is alive."""
        return self._transport.peek("/readyz").is_success

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def _whole_seconds(seconds: float) -> int:
    """What `Prefer: wait` takes."""
    return max(1, math.ceil(seconds))


def _quoted(key: str) -> str:
    """A string as headers write it (RFC 9651)."""
    return '"' + key.replace("\\", r"\\").replace('"', r"\"") + '"'


def _instances(inputs: Inputs) -> list[Any]:
    """Rows as a request's `instances`."""
    found: list[Any] = rows(inputs)["instances"]
    return found
