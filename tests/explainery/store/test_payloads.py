"""Large payloads: put aside, found again, held as long as a job needs them, swept when nobody does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explainery.contract.errors import StoreUnavailable
from explainery.contract.job import JobError
from explainery.store import payloads as payloads_module
from explainery.store.keys import key
from explainery.store.payloads import POINTER, Payloads

LARGE = b"x" * 100
ERROR = JobError(code="model_failed", detail="The model raised.", retryable=False)


@pytest.fixture
def small(ledger_with: Callable[..., Any]) -> Any:
    """A ledger that keeps no more than 16 bytes in Redis."""
    return ledger_with(inline_bytes=16)


@pytest.fixture
def payloads(small: Any) -> Payloads:
    return Payloads(small.settings)


@pytest.fixture
def lying(small: Any) -> Callable[[], list[Path]]:
    """The files in the store."""
    return lambda: sorted(path for path in Path(small.settings.payloads_url).rglob("*") if path.is_file())


@pytest.fixture
def all_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads_module, "AGE_S", -1.0)


def digest_of(stored: bytes) -> str:
    assert stored.startswith(POINTER)
    return stored.removeprefix(POINTER).decode()


def holders(ledger: Any, digest: str) -> dict[str, float]:
    return {name.decode(): until for name, until in ledger.redis.zrange(key("payload", digest), 0, -1, withscores=True)}


def admit(ledger: Any, inputs: bytes = LARGE, **changes: Any) -> Any:
    spec = ledger.spec(**changes)
    ledger.jobs.admit(spec, inputs)
    return spec


def test_what_is_put_aside_comes_back(payloads):
    stored = payloads.shelve(LARGE)
    assert len(stored) < len(LARGE)
    assert payloads.fetch(stored) == LARGE


@pytest.mark.parametrize("size", [0, 1, 16])
def test_small_values_stay_inline(payloads, lying, size):
    value = b"y" * size
    assert payloads.shelve(value) == value
    assert payloads.fetch(value) == value
    assert lying() == []


def test_one_byte_more_is_put_aside(payloads):
    assert payloads.shelve(b"y" * 17).startswith(POINTER)


def test_the_same_payload_lies_there_once(payloads, lying):
    assert payloads.shelve(LARGE) == payloads.shelve(LARGE)
    assert len(lying()) == 1


def test_an_object_store_will_do_as_well(small):
    """Whatever fsspec knows: here, memory."""
    import dataclasses

    remote = Payloads(dataclasses.replace(small.settings, payloads="memory://explainery-test"))
    assert remote.fetch(remote.shelve(LARGE)) == LARGE
    assert remote.sweep(lambda digests: digests) == 0


def test_a_crash_between_draft_and_move_leaves_nothing_to_read(payloads, lying, monkeypatch):
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(payloads._place.files, "mv", crash)
    with pytest.raises(KeyboardInterrupt):
        payloads.shelve(LARGE)
    monkeypatch.undo()
    [draft] = lying()
    assert draft.name.endswith(".part")
    assert payloads.fetch(payloads.shelve(LARGE)) == LARGE


def test_a_draft_that_was_left_is_swept(small, payloads, lying, monkeypatch, all_old):
    monkeypatch.setattr(payloads._place.files, "mv", lambda *_: None)
    payloads.shelve(LARGE)
    assert len(lying()) == 1
    assert small.jobs.sweep() == 1
    assert lying() == []


def test_a_sweep_takes_only_what_nobody_needs(small, payloads, lying, all_old):
    payloads.shelve(b"nobody's " * 10)
    spec = admit(small)
    assert small.jobs.sweep() == 1
    assert len(lying()) == 1
    assert small.jobs.inputs(spec.id) == LARGE


def test_a_sweep_leaves_what_is_young(small, payloads, lying):
    """It may belong to a job that is being admitted."""
    payloads.shelve(LARGE)
    assert small.jobs.sweep() == 0
    assert len(lying()) == 1


def test_an_empty_store_is_swept_without_a_word(small, all_old):
    assert small.jobs.sweep() == 0


def test_inputs_are_held_until_the_job_ends(small, lying, all_old):
    spec = admit(small)
    digest = digest_of(small.redis.get(key("inputs", spec.id)))
    assert holders(small, digest) == {f"inputs:{spec.id}": float("inf")}
    [claim] = small.claim(spec)
    assert claim.inputs.startswith(POINTER)
    assert small.jobs.unshelved(claim).inputs == LARGE
    assert small.succeed(claim)
    [(holder, until_ms)] = holders(small, digest).items()
    assert holder == f"inputs:{spec.id}"
    assert until_ms < float("inf")
    assert small.jobs.sweep() == 0
    assert small.jobs.inputs(spec.id) == LARGE
    small.jobs.forget(spec.id)
    assert holders(small, digest) == {}
    assert small.jobs.sweep() == 1
    assert lying() == []


@pytest.mark.parametrize("how", ["canceled", "failed", "forgotten"])
def test_inputs_are_dropped_whatever_ends_the_job(small, how):
    spec = admit(small)
    digest = digest_of(small.redis.get(key("inputs", spec.id)))
    if how == "canceled":
        small.jobs.cancel(spec.id)
    elif how == "forgotten":
        small.jobs.forget(spec.id)
    else:
        [claim] = small.claim(spec)
        assert small.jobs.fail("w1", spec.id, claim.fence, ERROR)
    assert holders(small, digest) == {}


def test_two_jobs_of_the_same_inputs_hold_them_both(small, all_old):
    first, second = admit(small), admit(small)
    digest = digest_of(small.redis.get(key("inputs", first.id)))
    small.jobs.cancel(first.id)
    assert set(holders(small, digest)) == {f"inputs:{second.id}"}
    assert small.jobs.sweep() == 0
    assert small.jobs.inputs(second.id) == LARGE


def test_a_result_is_held_as_long_as_its_job_is_remembered(small, lying, all_old):
    claim = small.running()
    assert small.succeed(claim, result=LARGE)
    digest = digest_of(small.redis.get(key("result", claim.spec.id)))
    [(holder, until_ms)] = holders(small, digest).items()
    now_ms = int(small.redis.time()[0]) * 1000
    assert holder == f"result:{claim.spec.id}"
    assert now_ms + small.settings.result_ttl_s * 1000 < until_ms < float("inf")
    assert small.jobs.sweep() == 0
    assert small.jobs.result(claim.spec.id) == LARGE
    small.jobs.forget(claim.spec.id)
    assert holders(small, digest) == {}
    assert small.jobs.sweep() == 1
    assert lying() == []


def test_a_result_whose_time_is_over_is_swept_though_nobody_forgot_it(small, lying, all_old):
    claim = small.running()
    small.succeed(claim, result=LARGE)
    digest = digest_of(small.redis.get(key("result", claim.spec.id)))
    small.redis.zadd(key("payload", digest), {f"result:{claim.spec.id}": 1})
    assert small.jobs.sweep() == 1
    assert lying() == []


def test_a_shared_result_is_held_until_its_last_job_goes(small, all_old):
    first = admit(small, content="c")
    [claim] = small.claim(first)
    second = admit(small, content="c")
    small.succeed(claim, result=LARGE)
    small.jobs.forget(first.id)
    assert small.jobs.sweep() == 0 or small.jobs.result(second.id) == LARGE
    assert small.jobs.result(second.id) == LARGE
    small.jobs.forget(second.id)
    assert list(small.redis.scan_iter(key("payload", "*"))) == []


def test_an_heir_takes_the_hold_over(small, all_old):
    first, second = admit(small, content="c"), admit(small, content="c")
    digest = digest_of(small.redis.get(key("inputs", first.id)))
    small.jobs.cancel(first.id)
    assert set(holders(small, digest)) == {f"inputs:{second.id}"}
    assert small.jobs.sweep() == 0
    [claim] = small.claim(second)
    assert small.jobs.unshelved(claim).inputs == LARGE


def test_a_store_that_cannot_be_written_is_unavailable(small):
    """A file lies where the folder should be."""
    Path(small.settings.payloads_url).write_bytes(b"")
    spec = small.spec()
    with pytest.raises(StoreUnavailable, match="payload"):
        small.jobs.admit(spec, LARGE)
    assert not small.redis.exists(key("job", spec.id))


def test_a_payload_that_is_gone_is_unavailable(small, lying):
    spec = admit(small)
    [path] = lying()
    path.unlink()
    with pytest.raises(StoreUnavailable, match="payload"):
        small.jobs.inputs(spec.id)


def test_a_result_that_cannot_be_put_aside_leaves_the_job_running(small):
    claim = small.running()
    Path(small.settings.payloads_url).write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        small.succeed(claim, result=LARGE)
    assert small.state(claim.spec) == "running"
