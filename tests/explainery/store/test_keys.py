"""Every key that the ledger writes is described in `keys.py`, and none outlives its job without an expiry."""

import re

import pytest

from explainery.contract.job import JobError
from explainery.store import batches, files, jobs, keys, scripting, webhooks
from explainery.store.keys import key

ERROR = JobError(code="model_failed", detail="The model raised.", retryable=False)
TYPES = {
    "stream": "stream",
    "hash": "hash",
    "string": "string",
    "sorted set": "zset",
    "set": "set",
    "list": "list",
    "integer": "string",
}
STEPS = sorted({*jobs.STEPS, *webhooks.STEPS, *batches.STEPS, *files.STEPS, "announce", "unban"})
NEW_WORK = {"admit", "hook", "open_batch", "ping", "reserve", "rotate", "shelve"}
"""What a full Redis refuses."""


@pytest.fixture(scope="module")
def table():
    """Kind of key -> its type, from the table in the module's docstring."""
    rows = re.findall(r"^\| (\w+)(?::<\w+>)* \| ([a-z/ ]+)", keys.__doc__, flags=re.MULTILINE)
    return {kind: said.strip() for kind, said in rows if kind != "key"}


@pytest.fixture
def busy(ledger):
    """A ledger in which everything has happened to some job."""
    ledger.succeed(ledger.running(decision_id="loan-1"))
    failed = ledger.running()
    ledger.jobs.fail("w1", failed.spec.id, failed.fence, ERROR)
    ledger.jobs.cancel(ledger.admit().id)
    ledger.jobs.forget(ledger.admit(decision_id="loan-2").id)
    overdue = ledger.admit(deadline_s=60.0)
    ledger.past("deadlines", overdue)
    ledger.jobs.reap(backlog=1)
    ledger.lose(ledger.running().spec)
    ledger.claim(ledger.spec(), "w2")
    ledger.jobs.release("w2", lost=False)
    ledger.claim(ledger.spec(), "w3")
    ledger.admit(deadline_s=60.0, decision_id="loan-3")
    return ledger


def kind_of(name: bytes) -> str:
    return name.decode().removeprefix(keys.PREFIX).split(":")[0]


def test_every_key_is_in_the_table_with_its_type(busy, table):
    names = busy.redis.keys()
    assert all(name.startswith(keys.PREFIX.encode()) for name in names)
    assert {kind_of(name): busy.redis.type(name).decode() for name in names}.items() <= {
        kind: TYPES.get(said) for kind, said in table.items()
    }.items()


def test_every_key_that_a_script_names_is_in_the_table(ledger, table):
    named = {kind for step in STEPS for kind in re.findall(r"key\('(\w+)'", scripting.source(step, ledger.settings))}
    assert {"job", "line", "ending"} <= named <= set(table)


def test_every_step_routes_by_its_one_key_and_says_so(ledger):
    for step in STEPS:
        text = scripting.source(step, ledger.settings)
        assert text.startswith("#!lua")
        assert "-- KEYS  1 prefix\n-- ARGV  1 " in text
        assert text.startswith("#!lua flags=allow-oom\n") == (step not in NEW_WORK)


def test_nothing_without_an_expiry_outlives_its_job(busy):
    ended = {
        job.id
        for job in busy.jobs.page(status=None, model=None, decision_id=None, cursor=None, limit=99).jobs
        if job.finished_at
    }
    assert len(ended) == 4
    for name in busy.redis.scan_iter():
        if name.decode().rsplit(":", 1)[-1] in ended:
            assert busy.redis.ttl(name) > 0, name


def test_when_all_jobs_are_forgotten_only_what_expires_and_what_never_does_by_its_table_is_left(busy):
    for job in busy.jobs.page(status=None, model=None, decision_id=None, cursor=None, limit=99).jobs:
        busy.jobs.forget(job.id)
    busy.jobs.reap(backlog=0)
    lasting = {kind_of(name) for name in busy.redis.scan_iter() if busy.redis.ttl(name) < 0}
    assert lasting == {"sequence", "counts", "virtual", "histogram"}


def test_a_key_without_a_name_is_the_kind_alone():
    assert key("jobs") == "{explainery}:jobs"
    assert key("job", "a:b") == "{explainery}:job:a:b"
