"""`explainery status` and `explainery top` on a real ledger."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from explainery.cli import exits
from explainery.cli.ledger import figures
from explainery.cli.main import main
from explainery.cli.overview import rates
from explainery.cli.top import View
from explainery.contract.catalogue import Offer
from explainery.contract.errors import StoreUnavailable
from explainery.contract.job import Baseline, JobSpec, ModelRef
from explainery.settings import Settings
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import Advance, JobStore, Limits
from explainery.supervisor.ports import free_port

WORKER = WorkerInfo(
    "w1", 7, "here", "cuda:0", "2026-01-01T00:00:00.000Z", ("digits@1", "\x1b[2Jloan@2"), {"explainery": "0"}, 3 * 2**20
)


def spec(**changes: object) -> JobSpec:
    fields = {
        "id": new_job_id(), "model": ModelRef(name="digits", version="1", digest="sha256:" + "a" * 64), "method": "saliency",
        "method_requested": "auto", "params": {}, "rows": 1, "target": ("predicted",), "baseline": Baseline(kind="zeros"),
        "seed": 0,
    }  # fmt: skip
    return JobSpec.model_validate({**fields, **changes})


@pytest.fixture
def strict(settings: Settings) -> Settings:
    return dataclasses.replace(settings, max_attempts=1)


@pytest.fixture
def store(strict: Settings) -> Iterator[JobStore]:
    """A ledger with one job in each place: quarantined, succeeded, running, and five that wait."""
    with connect(strict) as redis:
        jobs = JobStore(redis, strict)
        CatalogueStore(redis, strict).publish(WORKER, Offer(methods=(), models=(), runtimes=()))
        group = spec().group
        jobs.admit(spec(), b"inputs")
        jobs.claim("dead", Limits(1, 8), group=group)
        jobs.release("dead", lost=True, manner="signal 9")
        jobs.admit(spec(), b"inputs")
        [claim] = jobs.claim("w1", Limits(1, 8), group=group).claims
        assert jobs.succeed("w1", claim.spec.id, claim.fence, b"result", Advance(claim.spec.id, claim.fence, 1, 1, "model_evaluations"), 0.1)  # fmt: skip  # noqa: E501
        jobs.admit(spec(tenant="gold"), b"inputs")
        assert jobs.claim("w1", Limits(1, 8), group=group).claims
        for priority in ("interactive", "interactive", "batch", "batch", "batch"):
            jobs.admit(spec(priority=priority, effort=1000), b"inputs")
        yield jobs


@pytest.fixture
def run(strict: Settings) -> Callable[..., Result]:
    def invoke(*arguments: str, url: str = strict.redis_url) -> Result:
        environment = {"EXPLAINERY_HOME": str(strict.home), "EXPLAINERY_REDIS_URL": url}
        return CliRunner().invoke(main, arguments, env=environment)

    return invoke


def test_status_says_everything_to_scripts(run, store):
    told = json.loads(run("status", "--json").stdout)
    assert told["jobs"] == {"queued": 5, "running": 1, "succeeded": 1, "failed": 1, "canceled": 0, "expired": 0}
    assert (told["lines"]["interactive"]["jobs"], told["lines"]["batch"]["jobs"]) == (2, 3)
    assert told["lines"]["batch"]["compute_s"] > told["lines"]["interactive"]["compute_s"] > 0
    assert told["oldest_age_s"] >= 0
    assert told["ended_per_s"] > 0
    assert (told["quarantined"], told["models_quarantined"]) == (1, 0)
    assert told["running_of"] == {"gold": 1}
    assert told["histograms"]["compute"]["sum"] > 0
    [worker] = told["workers"]
    assert (worker["id"], worker["device"], worker["memory_bytes"]) == ("w1", "cuda:0", 3 * 2**20)


def test_status_shows_the_same_to_people(run, store):
    told = run("status")
    assert told.exit_code == exits.OK
    for text in ("interactive", "batch", "gold", "w1", "cuda:0", "3.0 MiB", "digits@1", "2026-01-01", "jobs quarantined"):
        assert text in told.stdout
    assert "\x1b" not in told.stdout


def test_status_of_an_empty_ledger(run):
    told = run("status")
    assert told.exit_code == exits.OK
    assert "0 live" in told.stdout
    assert json.loads(run("status", "--json").stdout)["oldest_age_s"] is None


def test_top_once_shows_rates(run, store):
    told = run("top", "--once", "--every", "0.05")
    assert told.exit_code == exits.OK
    assert all(text in told.stdout for text in ("per second", "admitted", "heartbeats", "interactive", "w1"))


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("top", "--once")])
def test_without_redis_there_is_a_sentence(run, arguments):
    told = run(*arguments, url=f"redis://127.0.0.1:{free_port()}/0")
    assert (told.exit_code, told.stdout) == (exits.UNREACHABLE, "")
    assert "Redis cannot be reached" in told.stderr


def test_rates_are_differences_and_never_negative():
    assert rates({"admitted": 10, "claims": 9}, {"admitted": 30, "claims": 0, "refused": 4}, 2.0) == {
        "admitted": 10.0,
        "claims": 0.0,
        "refused": 2.0,
    }


def test_the_live_picture_counts_what_happened_and_survives_an_absence(store, strict):
    with connect(strict) as redis:
        moments, away = iter([0.0, 2.0, 4.0]), False

        def ask():
            if away:
                raise StoreUnavailable("Redis is away")
            return figures(redis), [WORKER]

        view = View(ask, lambda: next(moments))
        view.look()
        for _ in range(5):
            store.admit(spec(), b"inputs")
        view.look_or_tell()
        assert "2.5" in drawn(view)
        away = True
        view.look_or_tell()
        assert "Redis is away" in drawn(view)
        assert "2.5" in drawn(view)
        away = False
        view.look_or_tell()
        assert "Redis is away" not in drawn(view)


def drawn(view: View) -> str:
    console = Console(width=200, markup=False)
    with console.capture() as captured:
        console.print(view.picture())
    return captured.get()


@contextmanager
def interruptible() -> Iterator[None]:
    """Children listen to Ctrl-C, as in a terminal, though these tests may run in the background, where nobody does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_top_ends_at_ctrl_c(store, strict):
    program = [sys.executable, "-c", "from explainery.cli.main import main; main()", "top", "--every", "0.1"]
    environment = {**os.environ, "EXPLAINERY_HOME": str(strict.home), "EXPLAINERY_REDIS_URL": strict.redis_url}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with interruptible(), subprocess.Popen(program, env=environment, **pipes) as shown:
        with connect(strict) as redis:
            deadline = time.monotonic() + 20
            before, own = redis.info("stats")["total_commands_processed"], 1
            while redis.info("stats")["total_commands_processed"] < before + own + 100:  # its looks, not ours
                assert time.monotonic() < deadline
                own += 1
                time.sleep(0.02)
        shown.send_signal(signal.SIGINT)
        out, err = shown.communicate(timeout=10)
    assert (shown.returncode, err) == (0, "")
    assert "interactive" in out
