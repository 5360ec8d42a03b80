"""What is kept within bounds, checked against the rule said in the plainest way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.footprint import Footprint
from workers.kept import Kept

BOUND = 10


def kept_of(*sizes: int, most: int = 100) -> Kept[str, str]:
    kept: Kept[str, str] = Kept(most, Footprint(BOUND, BOUND))
    for number, size in enumerate(sizes):
        kept.keep("abcdefgh"[number], "value", Footprint(size))
    return kept


def test_the_least_recently_used_goes_first():
    kept = kept_of(4, 4)
    assert kept.use("a") == "value"
    kept.keep("c", "value", Footprint(4))
    assert list(kept) == ["a", "c"]


def test_as_many_go_as_must():
    assert list(kept_of(3, 3, 3, 9)) == ["d"]
    assert list(kept_of(3, 3, 3, 1)) == ["a", "b", "c", "d"]


def test_no_more_than_so_many():
    assert list(kept_of(0, 0, 0, most=2)) == ["b", "c"]


def test_what_is_larger_than_the_bound_stays_alone():
    assert list(kept_of(3, 50)) == ["b"]


def test_room_is_made_before_something_comes():
    kept = kept_of(4, 4)
    assert not kept.make_room(Footprint(2))
    assert kept.make_room(Footprint(3))
    assert list(kept) == ["b"]
    kept.make_room(Footprint(50))
    assert list(kept) == []


def test_the_gpu_has_a_bound_of_its_own():
    kept: Kept[str, str] = Kept(100, Footprint(BOUND, BOUND))
    kept.keep("a", "value", Footprint(0, 8))
    kept.keep("b", "value", Footprint(9, 2))
    assert list(kept) == ["a", "b"]
    kept.keep("c", "value", Footprint(0, 1))
    assert list(kept) == ["b", "c"]


def test_dropped_ones_count_no_more():
    kept = kept_of(4, 4)
    assert kept.drop(lambda key: key == "a")
    assert not kept.drop(lambda key: key == "a")
    assert kept.total == Footprint(4)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40), st.integers(1, 4))
def test_always_as_the_rule_says(steps, most):
    kept: Kept[int, int] = Kept(most, Footprint(BOUND, BOUND))
    plain: list[tuple[int, int]] = []
    for key, size in steps:
        if key in kept:
            kept.use(key)
            plain.append(plain.pop([other for other, _ in plain].index(key)))
        else:
            kept.keep(key, key, Footprint(size))
            plain.append((key, size))
            while len(plain) > 1 and (len(plain) > most or sum(size for _, size in plain) > BOUND):
                plain.pop(0)
        assert list(kept) == [key for key, _ in plain]
