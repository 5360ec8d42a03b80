from __future__ import annotations

from explainery.supervisor.backoff import HEALTHY_S, LONGEST_S, Backoff


def test_the_first_restart_is_immediate_and_then_waits_double():
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(5)] == [0.0, 0.25, 0.5, 1.0, 2.0]


def test_waits_are_bounded():
    backoff = Backoff()
    assert max(backoff.after(0.0) for _ in range(100)) == LONGEST_S


def test_a_healthy_life_begins_the_count_again():
    backoff = Backoff()
    for _ in range(4):
        backoff.after(0.1)
    assert backoff.after(HEALTHY_S) == 0.0
    assert backoff.deaths == 1
