"""Operators look after what workers died of, on a real ledger."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from explainery.cli import exits
from explainery.cli.main import main
from explainery.contract.errors import JobGone
from explainery.contract.job import Baseline, JobSpec, JobState, ModelRef
from explainery.settings import Settings
from explainery.store.bell import Bell
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore, Limits
from explainery.supervisor.ports import free_port

MODEL = ModelRef(name="digits", version="1", digest="sha256:" + "a" * 64)


def spec() -> JobSpec:
    return JobSpec(
        id=new_job_id(), model=MODEL, method="saliency", method_requested="auto", params={}, rows=1, target=("predicted",),
        baseline=Baseline(kind="zeros"), seed=0, tenant="gold",
    )  # fmt: skip


@pytest.fixture
def strict(settings: Settings) -> Settings:
    """One death is enough."""
    return dataclasses.replace(settings, max_attempts=1, model_deaths=2)


@pytest.fixture
def store(strict: Settings) -> Iterator[JobStore]:
    with connect(strict) as redis:
        yield JobStore(redis, strict)


@pytest.fixture
def run(strict: Settings) -> Callable[..., Result]:
    def invoke(*arguments: str, url: str = strict.redis_url) -> Result:
        environment = {"EXPLAINERY_HOME": str(strict.home), "EXPLAINERY_REDIS_URL": url}
        return CliRunner().invoke(main, arguments, env=environment)

    return invoke


def poison(store: JobStore, manner: str = "signal 9") -> JobSpec:
    """A job that its worker died of."""
    job = spec()
    store.admit(job, b"inputs")
    assert [claim.spec.id for claim in store.claim("w1", Limits(1, 8), group=job.group).claims] == [job.id]
    store.release("w1", lost=True, manner=manner)
    assert store.get(job.id).status is JobState.FAILED
    return job


def test_jobs_in_quarantine_are_listed_with_what_is_known(run, store):
    job = poison(store)
    table = run("jobs", "quarantined")
    assert table.exit_code == exits.OK
    assert all(text in table.stdout for text in (job.id, "digits@1", "saliency", "gold", "signal 9"))
    [told] = json.loads(run("jobs", "quarantined", "--json").stdout)
    assert (told["id"], told["quarantine"]["losses"], told["error"]["code"]) == (job.id, 1, "worker_lost")


def test_nothing_in_quarantine_is_an_empty_list(run):
    assert json.loads(run("jobs", "quarantined", "--json").stdout) == []
    assert json.loads(run("models", "quarantined", "--json").stdout) == []


def test_what_others_wrote_does_not_command_the_terminal(run, store):
    poison(store, manner="\x1b[2J[red]gone")
    told = run("jobs", "quarantined").stdout
    assert "\x1b" not in told
    assert "[red]gone" in told


def test_a_released_job_is_tried_again_and_a_worker_is_called(run, store, strict):
    job = poison(store)
    before = Bell(strict).backlog()
    told = run("jobs", "release", job.id)
    assert told.exit_code == exits.OK
    again = store.get(told.stdout.strip())
    assert (again.status, again.tenant) == (JobState.QUEUED, "gold")
    assert Bell(strict).backlog() == before + 1
    with pytest.raises(JobGone):
        store.get(job.id)
    [claim] = store.claim("w2", Limits(1, 8), group=job.group).claims
    assert (claim.spec.id, store.unshelved(claim).inputs) == (again.id, b"inputs")


def test_a_dropped_job_is_gone(run, store):
    job = poison(store)
    assert run("jobs", "drop", job.id).exit_code == exits.OK
    assert json.loads(run("jobs", "quarantined", "--json").stdout) == []
    with pytest.raises(JobGone):
        store.get(job.id)


@pytest.mark.parametrize("what", ["release", "drop"])
def test_a_job_that_is_not_in_quarantine_stays(run, store, what):
    job = spec()
    store.admit(job, b"inputs")
    for job_id in (job.id, new_job_id()):
        told = run("jobs", what, job_id)
        assert (told.exit_code, "not" in told.stderr or "no job" in told.stderr) == (exits.REFUSED, True)
    assert store.get(job.id).status is JobState.QUEUED


def test_a_model_that_kills_workers_is_listed_and_released(run, store):
    poison(store)
    group = poison(store, "signal 11").group
    table = run("models", "quarantined").stdout
    assert group in table
    assert "signal 11" in table
    [told] = json.loads(run("models", "quarantined", "--json").stdout)
    assert (told["group"], told["deaths"]) == (group, 2)
    assert run("models", "release", group).exit_code == exits.OK
    assert json.loads(run("models", "quarantined", "--json").stdout) == []
    store.admit(spec(), b"inputs")
    again = run("models", "release", group)
    assert (again.exit_code, "no such model" in again.stderr) == (exits.REFUSED, True)


def test_a_job_of_a_model_in_quarantine_is_not_released(run, store):
    poison(store)
    job = poison(store)
    told = run("jobs", "release", job.id)
    assert (told.exit_code, "models quarantined" in told.stderr) == (exits.REFUSED, True)
    assert store.get(job.id).quarantine is not None


def test_without_redis_there_is_a_sentence(run, tmp_path):
    away = run("jobs", "quarantined", url=f"redis://127.0.0.1:{free_port()}/0")
    assert (away.exit_code, "Redis cannot be reached" in away.stderr) == (exits.UNREACHABLE, True)
    none = run("models", "quarantined", url="")
    assert (none.exit_code, "There is no Redis" in none.stderr) == (exits.UNREACHABLE, True)
