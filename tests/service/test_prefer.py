"""The Prefer header, well and badly written."""

from __future__ import annotations

import pytest

from service.prefer import Preference, read_preference


@pytest.mark.parametrize(
    ("header", "wait_s", "applied"),
    [
        (None, 0, None),
        ("", 0, None),
        ("wait=5", 5, "wait=5"),
        ("WAIT = 5", 5, "wait=5"),
        ('wait="5"', 5, "wait=5"),
        ("wait=0.25", 0.25, "wait=0.25"),
        ("wait=500", 60, "wait=60"),
        ("respond-async", 0, "respond-async"),
        ("respond-async, wait=10", 10, "respond-async, wait=10"),
        ("return=minimal, wait=10; x=y, respond-async;z", 10, "respond-async, wait=10"),
        ("wait=3, wait=9", 3, "wait=3"),
        ("wait=-3", 0, None),
        ("wait=soon", 0, None),
        ("wait", 0, None),
        ("wait=nan", 0, None),
        (",,;=", 0, None),
        ('x="a, wait=9", wait=2', 2, "wait=2"),
        ('x="a\\", wait=9", wait=2', 2, "wait=2"),
        ('x="never closed, wait=9', 0, None),
        ("wait=0", 0, "wait=0"),
        ("wait=1e9", 0, None),
    ],
)
def test_a_preference_is_read_or_ignored(header: str | None, wait_s: float, applied: str | None) -> None:
    assert read_preference(header, 60.0) == Preference(wait_s, applied)


def test_a_look_applies_only_what_a_look_can() -> None:
    assert read_preference("respond-async, wait=5", 60.0).looks == "wait=5"
    assert read_preference("respond-async", 60.0).looks is None
