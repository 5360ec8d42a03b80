"""What a dead worker held goes back to the line at once, and a bell calls the next worker."""

from __future__ import annotations

import pytest
from redis import Redis

from explainery.contract.job import Baseline, JobSpec, JobState, ModelRef
from explainery.settings import Settings
from explainery.store.bell import QUEUE
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore, Limits
from explainery.supervisor.child import Launch
from explainery.supervisor.claims import Claims

DEAD = Launch([], identity="worker-1-dead")


@pytest.fixture
def held(settings: Settings) -> tuple[JobStore, JobSpec]:
    """A job that the dead worker was working on."""
    store = JobStore(connect(settings), settings)
    spec = JobSpec(
        id=new_job_id(), model=ModelRef(name="linear", version="1", digest="sha256:00"), method="saliency",
        method_requested="saliency", params={}, rows=1, target=(None,), baseline=Baseline(kind="zeros"), seed=0,
    )  # fmt: skip
    store.admit(spec, b"inputs")
    assert [claim.spec.id for claim in store.claim(DEAD.identity, Limits(8, 8), answered="any").claims] == [spec.id]
    return store, spec


def test_claims_of_a_dead_worker_go_back_and_the_bell_rings(settings: Settings, redis_url: str, held):
    store, spec = held
    assert store.get(spec.id).status is JobState.RUNNING
    Claims(settings, redis_url).give_back(DEAD, lost="SIGKILL")
    assert store.get(spec.id).status is JobState.QUEUED
    with Redis.from_url(redis_url) as redis:
        assert redis.llen(QUEUE) == 1
    assert [claim.spec.id for claim in store.claim("worker-2", Limits(8, 8), answered="any").claims] == [spec.id]


def test_while_redis_is_down_claims_are_remembered(settings: Settings, redis_server, held):
    store, spec = held
    claims = Claims(settings, redis_server.url)
    redis_server.kill()
    claims.give_back(DEAD, lost="SIGKILL")
    assert claims.due_s < 5.0
    redis_server.start()
    claims.settle()
    assert claims.due_s == float("inf")
    assert store.get(spec.id).status is JobState.QUEUED
