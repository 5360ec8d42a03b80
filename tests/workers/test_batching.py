"""The plan of a chunk is a pure function of what waits, the sizes, and the clock."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workers.batching import PATIENCE_S, Pending, next_chunk


def pending(evaluations: int, kind: str = "values", urgent: bool = True, since_s: float = 100.0) -> Pending[Any]:
    return Pending("row", None, kind, evaluations, urgent, since_s)


def test_nothing_waits_nothing_is_planned() -> None:
    assert next_chunk([], {}, 100.0) == []


def test_the_shortest_goes_first_and_the_rest_fills_up() -> None:
    long, short = pending(1000), pending(3)
    chunk = next_chunk([long, short], {"values": 10}, 100.0)
    assert [(piece.pending, piece.start, piece.stop) for piece in chunk] == [(short, 0, 3), (long, 0, 7)]
    assert [(piece.start, piece.stop) for piece in next_chunk([long, short], {"values": 10}, 100.0)] == [(7, 17)]


def test_interactive_goes_before_batch() -> None:
    patient, urgent = pending(1, urgent=False), pending(50)
    assert next_chunk([patient, urgent], {"values": 10}, 100.0)[0].pending is urgent


def test_what_has_waited_long_goes_before_all() -> None:
    old, urgent = pending(50, urgent=False, since_s=100.0), pending(1, since_s=100.0 + PATIENCE_S)
    assert next_chunk([old, urgent], {"values": 10}, 100.0 + PATIENCE_S)[0].pending is old


def test_kinds_do_not_mix() -> None:
    chunk = next_chunk([pending(2), pending(3, kind="gradients"), pending(4)], {"values": 10, "gradients": 5}, 100.0)
    assert {piece.pending.kind for piece in chunk} == {"values"}
    assert sum(piece.stop - piece.start for piece in chunk) == 6


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["a", "b"]), st.booleans(), st.floats(0, 200)), max_size=8),
    st.integers(1, 16),
)
def test_every_evaluation_is_planned_once(line: list[tuple[int, str, bool, float]], size: int) -> None:
    waiting = [pending(*entry) for entry in line]
    planned: dict[int, list[int]] = {id(entry): [] for entry in waiting}
    while chunk := next_chunk(waiting, {"a": size, "b": size}, 100.0):
        assert sum(piece.stop - piece.start for piece in chunk) <= size
        for piece in chunk:
            planned[id(piece.pending)] += range(piece.start, piece.stop)
    assert all(planned[id(entry)] == list(range(entry.evaluations)) for entry in waiting)
