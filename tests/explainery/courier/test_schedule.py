"""When a delivery that failed is tried again."""

from explainery.courier.schedule import pause_after
from explainery.settings import Settings

PAUSES = Settings().webhook_pauses_s


def test_the_schedule_is_that_of_the_specification():
    assert PAUSES == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert [pause_after(n, PAUSES, 0.0, 0.5) for n in range(1, 11)] == [*PAUSES, None]


def test_it_is_spread_by_a_fifth_to_both_sides():
    assert [round(pause_after(2, PAUSES, 0.0, chance)) for chance in (0.0, 1.0)] == [240, 360]


def test_what_the_target_asks_for_is_heeded_where_it_is_longer():
    assert pause_after(1, PAUSES, 60.0, 0.5) == 60.0
    assert pause_after(3, PAUSES, 60.0, 0.5) == 1800.0
    assert pause_after(1, PAUSES, 1e9, 0.5) == 86400.0
    assert pause_after(10, PAUSES, 60.0, 0.5) is None
