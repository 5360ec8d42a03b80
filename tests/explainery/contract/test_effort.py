"""About how many evaluations a job takes."""

import pytest

from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.effort import SOME, effort_of


def spec(*params: str, max_players: int | None = None) -> MethodSpec:
    named = tuple(Param(name=name, type="integer", help="") for name in params)
    return MethodSpec(
        name="m", title="", summary="", asks=("values",), params=named, completeness=True, reference="", max_players=max_players
    )


def test_a_method_for_the_whole_job_looks_at_each_row_once_and_takes_its_steps():
    method = spec("steps", "starts").model_copy(update={"level": "job"})
    assert effort_of(method, {"steps": 100, "starts": 3}, 7, 10) == 307
    assert effort_of(spec().model_copy(update={"level": "job"}), {}, 7, 10) == 7


@pytest.mark.parametrize(
    ("method", "params", "players", "expected"),
    [
        (spec("samples"), {"samples": 512}, 10, 2 * 512),
        (spec("max_steps"), {"max_steps": 64}, 10, 2 * 64),
        (spec("samples"), {"samples": None}, 10, 2 * 10),
        (spec(max_players=15), {}, 10, 2 * 1024),
        (spec(), {}, 10, 2 * 10),
        (spec(), {}, None, 2 * SOME),
    ],
)
def test_the_budget_says_it_where_there_is_one(method, params, players, expected):
    assert effort_of(method, params, 2, players) == expected
