"""Taking jobs from the line."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from explainery.contract.job import JobState
from explainery.store import jobs as jobs_module


def test_a_claim_carries_all_a_worker_needs(ledger):
    spec = ledger.admit(deadline_s=60.0)
    [claim] = ledger.claim(spec)
    assert (claim.spec, claim.inputs, claim.fence, claim.attempts, claim.losses) == (spec, b"inputs", 1, 1, 0)
    assert claim.deadline_ms == claim.created_ms + 60_000
    job = ledger.jobs.get(spec.id)
    assert (job.status, job.attempts) == (JobState.RUNNING, 1)
    assert job.started_at is not None
    assert ledger.claim(spec) == []


def test_no_more_jobs_than_asked_for(ledger):
    specs = [ledger.admit() for _ in range(5)]
    assert [claim.spec.id for claim in ledger.claim(specs[0], max_jobs=3)] == [spec.id for spec in specs[:3]]


def test_a_claim_stops_before_the_rows_are_too_many(ledger):
    specs = [ledger.admit(rows=rows) for rows in (3, 4, 2)]
    assert [claim.spec.rows for claim in ledger.claim(specs[0], max_rows=8)] == [3, 4]


def test_one_job_is_given_whatever_its_rows(ledger):
    spec = ledger.admit(rows=50)
    ledger.admit()
    assert [claim.spec.rows for claim in ledger.claim(spec, max_rows=8)] == [50]


def test_jobs_that_join_others_keep_within_the_rows(ledger):
    spec = ledger.admit(rows=50)
    assert ledger.claim(spec, max_rows=8, joining=True) == []
    assert ledger.state(spec) is JobState.QUEUED


def test_a_claim_stops_before_the_inputs_are_too_large(ledger, monkeypatch):
    monkeypatch.setattr(jobs_module, "CLAIM_BYTES", 10)
    specs = [ledger.admit() for _ in range(2)]
    assert len(ledger.claim(specs[0])) == 1


def test_groups_do_not_mix(ledger):
    digits, other = ledger.admit(), ledger.admit(model="other")
    assert [claim.spec.id for claim in ledger.claim(other)] == [other.id]
    assert [claim.spec.id for claim in ledger.claim(digits)] == [digits.id]


def test_a_job_that_lost_a_worker_is_claimed_alone(ledger):
    suspect = ledger.running().spec
    ledger.lose(suspect)
    ledger.admit()
    [claim] = ledger.claim(suspect)
    assert (claim.spec.id, claim.losses) == (suspect.id, 1)


def test_a_job_that_lost_a_worker_waits_behind_those_claimed_before_it(ledger):
    first, suspect, last = (ledger.admit() for _ in range(3))
    [taken, lost, _] = ledger.claim(first)
    ledger.jobs.release("w1", lost=False)
    assert (taken.spec.id, lost.spec.id) == (first.id, suspect.id)
    ledger.redis.hset(f"{{explainery}}:job:{suspect.id}", "losses", 1)
    assert [claim.spec.id for claim in ledger.claim(first)] == [first.id]
    assert ledger.claim(first, joining=True) == []
    assert [claim.spec.id for claim in ledger.claim(first)] == [suspect.id]
    assert [claim.spec.id for claim in ledger.claim(first)] == [last.id]


def test_jobs_past_their_deadline_expire_on_the_way(ledger):
    late, fine = ledger.admit(deadline_s=60.0), ledger.admit()
    ledger.past("deadlines", late)
    assert [claim.spec.id for claim in ledger.claim(fine)] == [fine.id]
    job = ledger.jobs.get(late.id)
    assert (job.status, job.error.code) == (JobState.EXPIRED, "deadline_exceeded")


def test_two_workers_never_get_the_same_job(ledger):
    specs = [ledger.admit() for _ in range(200)]
    start = threading.Barrier(4)

    def drain(worker: str) -> list[str]:
        start.wait()
        got: list[str] = []
        while claims := ledger.claim(specs[0], worker, max_jobs=3):
            got += [claim.spec.id for claim in claims]
        return got

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(drain, ["w1", "w2", "w3", "w4"]))
    assert sorted(chain.from_iterable(taken)) == sorted(spec.id for spec in specs)


def test_an_answered_bell_is_never_counted_below_none(ledger):
    spec = ledger.spec()
    for _ in range(3):
        assert ledger.claim(spec, answered="any") == []
    assert ledger.redis.keys() == []
