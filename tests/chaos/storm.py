"""One run of chaos: jobs come in over HTTP while everything is killed, by a schedule that a seed makes."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

import httpx
import numpy as np
import repos
from ledger import Ledger, alive, child, end, kill, running_child
from proxy import Proxy
from stacks import Stack, until

WEIGHTS = np.array([1.0, -2.0, 3.0])
WORKERS = ("worker-1", "worker-2")
CLIENTS = 4
AHEAD = 40
"""Jobs that wait at most: so they come in during the whole run."""
STALL_S = 60.0
"""Nothing ends for so long: jobs are stuck."""
HANDS_FULL_S = 3.0
"""How long a kill waits for its worker to hold jobs."""
ENDED = ("succeeded", "failed", "canceled", "expired")


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    jobs: int
    workers: int
    redis: int
    api: int
    stops: int = 0
    cuts: int = 0

    def schedule(self, seed: int) -> list[Event]:
        """What happens after how many jobs, and to whom."""
        dice = random.Random(seed)
        kinds = ["worker"] * self.workers + ["redis"] * self.redis + ["api"] * self.api
        kinds += ["stop"] * self.stops + [("cut", "freeze")[turn % 2] for turn in range(self.cuts)]
        dice.shuffle(kinds)
        after = sorted(dice.sample(range(2, int(self.jobs * 0.9)), len(kinds)))
        return [Event(at, kind, dice.choice(WORKERS)) for at, kind in zip(after, kinds, strict=True)]


@dataclass(frozen=True)
class Event:
    """Something that happens when `after` jobs have ended."""

    after: int
    kind: str
    worker: str


class Server(Protocol):
    """A Redis of the test's own."""

    port: int

    def start(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Asked:
    """A job's body and its right answer."""

    body: dict[str, Any]
    answer: np.ndarray


@dataclass
class Report:
    """What came of a run. Everything from `lost` to `wrong` must be 0."""

    seed: int
    redis: str
    jobs: int = 0
    kills: str = ""
    lost: int = 0
    stuck: int = 0
    stalled: str = ""
    """Where the storm waited in vain."""
    failed: int = 0
    double: int = 0
    wrong: int = 0
    stale: int = 0
    dropped: int = 0
    """Jobs that a worker had lost and let go when its heartbeat was told so, before it wrote."""
    recoveries: list[float] = field(default_factory=list)
    redis_back: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.stuck or self.stalled or self.failed or self.double or self.wrong)

    HEAD = (
        "| seed | Redis | jobs | kills | lost | stuck (stalled) | failed | double | wrong | stale refused | dropped before "
        "| running again p50 / max s | Redis back to work max s | seconds |\n|" + "---|" * 14
    )

    @property
    def row(self) -> str:
        again = f"{median(self.recoveries):.2f} / {max(self.recoveries):.2f}" if self.recoveries else "-"
        back = f"{max(self.redis_back):.2f}" if self.redis_back else "-"
        stuck = f"{self.stuck} ({self.stalled})" if self.stalled else self.stuck
        cells = (self.seed, self.redis, self.jobs, self.kills, self.lost, stuck, self.failed, self.double, self.wrong,
                 self.stale, self.dropped, again, back, f"{self.seconds:.0f}")  # fmt: skip
        return "| " + " | ".join(map(str, cells)) + " |"


def write_models(stack: Stack) -> None:
    """Linear models of several paces; attributions are w (x - b), gradients w."""
    repos.add_stub(stack.models, "quick", 3, weights=WEIGHTS.tolist(), bias=1.0)
    repos.add_stub(stack.models, "slow", 3, weights=WEIGHTS.tolist(), delay_s=0.005)
    repos.add_stub(stack.models, "calls", 3, weights=WEIGHTS.tolist(), call_s=0.05)
    repos.add_stub(stack.models, "long", 3, weights=WEIGHTS.tolist(), call_s=1.5)


def asked(jobs: int, seed: int) -> list[Asked]:
    """Jobs of all paces and several methods, no two the same."""
    dice = np.random.default_rng(seed)
    made = []
    for number in range(jobs):
        rows = dice.normal(size=(int(dice.integers(1, 5)), 3)).round(6)
        model = ("slow", "slow", "calls", "quick")[number % 4]
        method = ("exact_shapley", "integrated_gradients", "feature_ablation", "saliency")[int(dice.integers(4))]
        answer = np.broadcast_to(WEIGHTS, rows.shape) if method == "saliency" else rows * WEIGHTS
        body = {"model": model, "method": method, "instances": rows.tolist()}
        made.append(Asked(body, answer))
    return made


class Storm:
    """A run on a started stack. `server` and `proxy`: the Redis it uses when that is not its own, and the way to it."""

    def __init__(
        self, stack: Stack, plan: Plan, seed: int, lease_s: float, server: Server | None = None, proxy: Proxy | None = None
    ) -> None:
        self._stack = stack
        self._plan = plan
        self._lease_s = lease_s
        self._server = server
        self._proxy = proxy
        self._ledger = Ledger(server.port) if server else Ledger.of(stack)
        self._schedule = plan.schedule(seed)
        self._asked = asked(plan.jobs, seed)
        self._accepted: dict[str, Asked] = {}
        self._left = iter(self._asked)
        self._turn = threading.Lock()
        self._given_up = False
        self._extra = 0
        self._reached = 0.0
        """The next event comes after so many jobs; not many more are offered before it."""
        self.report = Report(seed, "own, behind a proxy" if server else "embedded", plan.jobs)

    def run(self) -> Report:
        """Everything, and what came of it."""
        began = time.monotonic()
        clients = [threading.Thread(target=self._submit, daemon=True) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for event in self._schedule:
                self._reached = event.after
                self._await_progress(event.after)
                self._strike(event)
            self._reached = math.inf
            self._await_progress(self._plan.jobs + self._extra)
        except AssertionError as error:  # what was to come did not come in time, or jobs are stuck
            frames = traceback.extract_tb(error.__traceback__)
            self.report.stalled = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        finally:
            self._given_up = True
            for client in clients:
                client.join(timeout=30)
        self._judge()
        self.report.seconds = time.monotonic() - began
        self._ledger.close()
        return self.report

    # --- the clients

    def _submit(self) -> None:
        base = str(self._stack.http.base_url)
        with httpx.Client(base_url=base, timeout=15, trust_env=False) as http:
            while (job := self._next()) is not None:
                while not self._given_up and (job_id := _accepted(http, job)) is None:
                    time.sleep(0.1)  # it is down: as a client does, try again soon
                if not self._given_up:
                    self._accepted[job_id] = job

    def _next(self) -> Asked | None:
        while not self._given_up and len(self._accepted) > min(self._ended(), self._reached) + AHEAD:
            time.sleep(0.02)
        with self._turn:
            return None if self._given_up else next(self._left, None)

    def _ended(self) -> int:
        return sum(self._ledger.count(f"ended_{state}") for state in ENDED)

    def _await_progress(self, jobs: int) -> None:
        """Wait for so many to have ended, as long as more and more do."""
        while (ended := self._ended()) < jobs:
            until(lambda ended=ended: self._ended() > ended, STALL_S)

    # --- the faults

    def _strike(self, event: Event) -> None:
        if event.kind == "worker":
            self._kill_worker(event.worker)
        elif event.kind == "redis":
            self._kill_redis()
        elif event.kind == "api":
            kill(self._stack, "service")
        elif event.kind == "stop":
            self._stop_past_its_lease()
        elif self._proxy is not None:
            _disturb(self._proxy, event.kind)

    def _kill_worker(self, name: str) -> None:
        pid = child(self._stack, name)
        with contextlib.suppress(AssertionError):  # best with its hands full; but it may be anywhere, in its start too
            until(lambda: self._ledger.held_by(pid), HANDS_FULL_S)
        before = self._ledger.tries(self._ledger.held_by(pid))
        end(pid)
        killed = time.monotonic()
        running = [job_id for job_id, (state, _) in before.items() if state == "running"]

        def again() -> bool:
            now = self._ledger.tries(running)
            return any(now[job_id][1] > before[job_id][1] for job_id in now)

        def settled() -> bool:
            now = self._ledger.tries(running)
            return again() or (bool(now) and all(state in ENDED for state, _ in now.values()))

        if running:
            until(settled, STALL_S)
            if again():
                self.report.recoveries.append(time.monotonic() - killed)

    def _kill_redis(self) -> None:
        before = self._ended()
        if self._server is not None:
            self._server.kill()
            self._server.start()
        else:
            kill(self._stack, "redis")
            time.sleep(0.01)
        until(self._ledger.answers, STALL_S)
        back = time.monotonic()
        until(lambda: self._ended() > before or self._ended() >= len(self._accepted), STALL_S)
        if self._ended() > before:  # or there was nothing left to go on with
            self.report.redis_back.append(time.monotonic() - back)

    def _stop_past_its_lease(self) -> None:
        """Stop a worker in the last call of a job until the job is taken from it, then let it write what it has."""
        pid = None
        while pid is None:  # a job whose last call nobody saw is no use: the next
            pid = self._in_last_call(self._submit_long())
        os.kill(pid, signal.SIGSTOP)
        try:
            before = self._ledger.count("lost_leases")
            until(lambda: self._ledger.count("lost_leases") > before, STALL_S)
            refused = self._refused()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        until(lambda: self._refused() > refused or not alive(pid), STALL_S)  # before anything else befalls it

    def _submit_long(self) -> str:
        body = {"model": "long", "method": "feature_ablation", "instances": [[1.0, 2.0, 3.0]], "fresh": True}
        job = Asked(body, WEIGHTS[None, :] * [1, 2, 3])
        with httpx.Client(base_url=str(self._stack.http.base_url), timeout=15, trust_env=False) as http:
            job_id = until(lambda: _accepted(http, job), STALL_S)
        self._accepted[job_id] = job
        self._extra += 1
        return job_id

    def _in_last_call(self, job_id: str) -> int | None:
        """The worker that is in a job's last call; None when the job has ended unseen."""

        def look() -> tuple[int | None] | None:
            state = self._ledger.tries([job_id]).get(job_id)
            if state and state[0] in ENDED:
                return (None,)
            if not self._ledger.done(job_id):
                return None
            pids = [pid for name in WORKERS if (pid := running_child(self._stack, name)) is not None]
            return next(((pid,) for pid in pids if job_id in self._ledger.held_by(pid)), None)

        return until(look, STALL_S)[0]

    def _refused(self) -> int:
        """How often somebody was told that a job is not its own any more."""
        return self._ledger.count("stale_writes") + len(list(self._log_lines("job_dropped")))

    # --- the judgement

    def _judge(self) -> None:
        report, plan = self.report, self._plan
        report.kills = f"{plan.workers} workers, {plan.redis} Redis, {plan.api} API"
        report.kills += f", {plan.stops} stop" if plan.stops else ""
        report.kills += f", {plan.cuts} cuts" if plan.cuts else ""
        first = {job_id: self._document(job_id) for job_id in self._accepted}
        report.lost = sum(document is None for document in first.values())
        report.stuck = sum(document is not None and document["status"] not in ENDED for document in first.values())
        report.stuck += plan.jobs + self._extra - len(self._accepted)  # never taken, however often it was offered
        report.failed = sum(document is not None and document["status"] in ENDED[1:] for document in first.values())
        done = [job_id for job_id, document in first.items() if document and document["status"] == "succeeded"]
        report.wrong = sum(not self._right(job_id) for job_id in done)
        # What was late, is: whoever still wrote has done so a lease later.
        time.sleep(self._lease_s)
        changed = {job_id for job_id in done if self._document(job_id) != first[job_id]}
        said = Counter(line["job_id"] for line in self._log_lines("job_succeeded"))
        report.double = len(changed | {job_id for job_id, times in said.items() if times > 1})
        report.stale = self._ledger.count("stale_writes")
        report.dropped = len(list(self._log_lines("job_dropped")))
        if report.clean:
            assert self._ledger.count("ended_succeeded") == self._ledger.jobs() == self._ledger.count("admitted")
            stale = len(list(self._log_lines("job_stale")))
            assert report.stale >= stale, f"{stale} writes were stale, {report.stale} were refused"

    def _document(self, job_id: str) -> dict[str, Any] | None:
        answer = self._stack.http.get(f"/v1/explanations/{job_id}")
        return dict(answer.json()) if answer.status_code == 200 else None

    def _right(self, job_id: str) -> bool:
        answer = self._stack.http.get(f"/v1/explanations/{job_id}/result")
        if answer.status_code != 200:
            return False
        rows = [one["attributions"][0]["data"] for one in answer.json()["explanations"]]
        return np.allclose(rows, self._accepted[job_id].answer, rtol=0, atol=1e-6)

    def _log_lines(self, event: str) -> Iterator[dict[str, Any]]:
        """What the workers said of their jobs."""
        for log in (self._stack.home / "logs").glob("worker-*.log*"):
            for line in log.read_text(errors="replace").splitlines():
                if event in line:
                    with contextlib.suppress(json.JSONDecodeError):  # a line that a kill cut short
                        if (said := json.loads(line)).get("event") == event:
                            yield said


def _accepted(http: httpx.Client, job: Asked) -> str | None:
    """The job's id when it was taken; None when it may be offered again."""
    try:
        answer = http.post("/v1/explanations", json=job.body)
    except httpx.TransportError:
        return None
    if answer.status_code == 503:
        return None
    assert answer.status_code == 202, (answer.status_code, answer.text)
    return str(answer.json()["id"])


def _disturb(proxy: Proxy, kind: str) -> None:
    """Cut everybody off for a moment, or hold every byte back for longer than anybody waits for an answer."""
    if kind == "cut":
        proxy.refuse()
        time.sleep(1.0)
        proxy.accept()
    else:
        proxy.freeze()
        time.sleep(4.0)
        proxy.thaw()
