"""Past runs: noted in bulk, the last ones kept, told apart by model, device, method and shape; forgotten in the end."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from explainery.contract.estimate import Run
from explainery.contract.job import ModelRef
from explainery.store.keys import key
from explainery.store.runs import KEPT, TTL_S, Kind, RunStore

MODEL = ModelRef(name="digits", version="1", digest="sha256:" + "a" * 64)
KIND = Kind(MODEL, "cpu", "lime", "x:4")


def run(values: int, most: int | None = None) -> Run:
    return Run(values=values, gradients=3, rows=2, seconds=0.25, most=most)


@pytest.fixture
def runs(ledger: Any) -> RunStore:
    return RunStore(ledger.redis)


def test_nothing_is_known_before_anything_ran(runs: RunStore) -> None:
    past = runs.past(KIND)
    assert (past.of_method, past.of_model, past.wait_s("interactive"), past.load_s) == ((), (), 0.0, 0.0)


def test_runs_come_back_the_newest_first(runs: RunStore, ledger: Any) -> None:
    for values in (1, 2):
        runs.note(KIND, run(values, most=500))
    runs.note(Kind(MODEL, "cpu", "rise", "x:4"), run(3))
    runs.send()
    past = RunStore(ledger.redis).past(KIND)
    assert past.of_method == (run(2, 500), run(1, 500))
    assert past.of_model == (run(3), run(2, 500), run(1, 500))


@pytest.mark.parametrize(
    "other",
    [
        Kind(MODEL, "cuda:0", "lime", "x:4"),
        Kind(MODEL.model_copy(update={"digest": "sha256:" + "b" * 64}), "cpu", "lime", "x:4"),
    ],
)
def test_another_device_or_file_knows_nothing_of_it(runs: RunStore, other: Kind) -> None:
    runs.note(KIND, run(1))
    runs.send()
    assert runs.past(other).of_model == ()


def test_another_shape_or_method_knows_the_model(runs: RunStore) -> None:
    runs.note(KIND, run(1))
    runs.send()
    for other in (Kind(MODEL, "cpu", "lime", "x:5"), Kind(MODEL, "cpu", "rise", "x:4")):
        assert (runs.past(other).of_method, runs.past(other).of_model) == ((), (run(1),))


def test_lists_are_bounded_and_expire(runs: RunStore, ledger: Any) -> None:
    for values in range(KEPT + 10):
        runs.note(KIND, run(values))
    runs.send()
    for name in KIND.names:
        assert ledger.redis.llen(key("runs", name)) == KEPT
        assert 0 < ledger.redis.ttl(key("runs", name)) <= TTL_S
    assert RunStore(ledger.redis).past(KIND).of_method[0].values == KEPT + 9


def test_a_note_of_a_newer_form_is_left_out(runs: RunStore, ledger: Any) -> None:
    ledger.redis.lpush(key("runs", KIND.names[0]), "1 2 3 4 5 6 7", "4 3 2 0.25  0")
    assert runs.past(KIND).of_method == (run(4),)


def test_the_wait_is_what_the_line_says_shared_by_those_who_live(runs: RunStore, ledger: Any) -> None:
    for priority in ("interactive", "batch"):
        ledger.redis.hset(key("queued_us"), priority, 4_000_000)
    for worker in ("w1", "w2"):
        ledger.redis.zadd(key("workers"), {worker: 1})
    past = runs.past(KIND)
    assert (past.wait_s("interactive"), past.wait_s("batch")) == (2.0, 4.0)


def test_a_tenant_learns_from_its_own_runs_and_of_its_own_queue(runs: RunStore, ledger: Any) -> None:
    runs.note(KIND, run(1))
    runs.send()
    other = dataclasses.replace(KIND, tenant="other")
    assert (runs.past(other).of_method, runs.past(other).of_model) == ((), ())
    ledger.admit(effort=1000, tenant="other")
    assert RunStore(ledger.redis).past(KIND).wait_s("interactive") == pytest.approx(1.0)
    assert RunStore(ledger.redis).past(KIND, own=True).wait_s("interactive") == 0.0
    assert RunStore(ledger.redis).past(other, own=True).wait_s("interactive") == pytest.approx(1.0)
