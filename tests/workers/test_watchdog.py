"""When a call has gone on too long, and whose fault it is."""

from __future__ import annotations

from explainery.contract.job import Baseline, JobSpec, ModelRef
from explainery.store.jobs import Claim
from workers.hands import Call, Hands, Held
from workers.watchdog import PATIENCE_S, Ending, judge

MODEL = ModelRef(name="m", version="1", digest="sha256:a")


def claim(job_id: str) -> Claim:
    spec = JobSpec(
        id=job_id, model=MODEL, method="saliency", method_requested="saliency", params={}, rows=1,
        target=(None,), baseline=Baseline(kind="zeros"), seed=0,
    )  # fmt: skip
    return Claim(spec, fence=1, attempts=1, losses=0, created_ms=0, deadline_ms=None, inputs=b"")


def held(**since_s: float) -> dict[str, Held]:
    return {job_id: Held(claim(job_id), since) for job_id, since in since_s.items()}


def call(*jobs: str, since_s: float = 0.0) -> Call:
    return Call(jobs, "values", since_s)


NOBODY: frozenset[str] = frozenset()


def test_no_call_no_ending():
    assert judge(None, held(a=0.0), NOBODY, 1e6, 3.0) is None


def test_a_job_alone_in_its_call_is_failed_at_its_limit():
    assert judge(call("a"), held(a=0.0), NOBODY, 3.4, 3.0) is None
    ending = judge(call("a"), held(a=0.0), NOBODY, 3.6, 3.0)
    assert ending is not None
    assert (ending.failed, ending.suspects) == ("a", ())


def test_of_several_in_one_call_none_is_failed_and_all_are_suspects():
    ending = judge(call("a", "b"), held(a=0.0, b=2.0, c=0.0), NOBODY, 3.6, 3.0)
    assert ending is not None
    assert (ending.failed, set(ending.suspects)) == (None, {"a", "b"})


def test_a_call_that_nobody_waits_for_is_ended_after_some_patience():
    everything = held(a=0.0, b=0.0)
    assert judge(call("a"), everything, frozenset({"a"}), PATIENCE_S, 3.0) is None
    assert judge(call("a"), everything, frozenset({"a"}), PATIENCE_S + 1, 3.0) == Ending("nobody waits for this call any more")


def test_hands_know_what_goes_on_and_let_go_of_what_is_lost():
    hands = Hands()
    hands.take(claim("a"))
    hands.take(claim("b"))
    with hands.busy(["a"], "8 gradients"):
        assert hands.call is not None
        assert (hands.call.jobs, hands.call.what) == (("a",), "8 gradients")
    assert hands.call is None
    hands.lose({"a"})
    assert hands.disowned("a")
    assert hands.lost(["a", "b"]) == ["a"]
    assert set(hands.held()) == {"b"}
    assert not hands.disowned("a")
