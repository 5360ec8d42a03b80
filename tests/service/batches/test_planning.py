"""Which lines become one job, and what becomes of lines that are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from service.admission import Terms
from service.batches.lines import Line
from service.batches.planning import Desk, groups, likeness, plan
from service.estimating import nothing as no_past
from service.shelf import Shelf

BODY = {"model": "loan", "method": "kernel_shap", "instances": [[1.0, 2.0, 0.0, 3.0]]}


class NoBackgrounds:
    """None are stored."""

    def get(self, tenant: str, background_id: str) -> bytes:
        from explainery.contract.errors import BackgroundNotFound

        raise BackgroundNotFound("There is no such background, or no longer; store it again.")


@pytest.fixture
def desk(offer: Any) -> Desk:
    nothing: Any = NoBackgrounds()
    return Desk(Shelf(offer), Terms("gold", max_rows=100), lambda digest: None, no_past, nothing, 0, 8)


def numbered(*bodies: Any) -> list[tuple[int, Line]]:
    return [(number, Line(f"r{number}", body)) for number, body in enumerate(bodies)]


def members(bodies: list[Any], most_rows: int = 8) -> list[list[int]]:
    return [[number for number, _ in group] for group in groups(numbered(*bodies), most_rows)]


def test_lines_that_differ_in_their_rows_are_put_together_up_to_the_bound():
    assert members([BODY] * 5, most_rows=2) == [[0, 1], [2, 3], [4]]
    assert members([{**BODY, "seed": number % 2} for number in range(4)]) == [[0, 2], [1, 3]]
    assert members([{**BODY, "instances": [[0.0] * 4] * 5}, BODY, {**BODY, "instances": [[0.0] * 4] * 3}]) == [[0, 1], [2]]


@pytest.mark.parametrize(
    "change",
    [
        {"target": ["predicted"]},
        {"baseline": {"tensor": [0.0, 0.0, 0.0, 0.0]}},
        {"budget": 100},
        {"inputs": []},
        {"instances": []},
        {"instances": "rows"},
        {"seed": 2**70},
    ],
)
def test_what_counts_by_the_job_or_by_row_stays_alone(change: dict[str, Any]):
    assert likeness({**BODY, **change}) is None
    assert members([{**BODY, **change}] * 2) == [[0], [1]]


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_what_is_no_request_stays_alone_and_is_refused(body: Any, desk: Desk):
    planned = plan(numbered(body, BODY), desk)
    assert planned.refused[0][0] == 422
    assert [job.lines for job in planned.jobs] == [[(1, 1)]]


def test_a_line_on_which_we_break_takes_none_with_it(desk: Desk):
    def past_of(kind: Any) -> Any:
        return 1 // 0 if kind.method == "exact_shapley" else no_past(kind)

    other = {**BODY, "method": "exact_shapley"}
    planned = plan(numbered(BODY, other, other, BODY), dataclasses.replace(desk, past_of=past_of))
    assert [job.lines for job in planned.jobs] == [[(0, 1), (3, 1)]]
    assert {line: (status, body["code"]) for line, (status, body) in planned.refused.items()} == {
        1: (500, "internal_error"), 2: (500, "internal_error"),
    }  # fmt: skip


def test_numbers_of_another_type_are_not_alike():
    assert likeness({**BODY, "seed": 1}) != likeness({**BODY, "seed": True})
    assert likeness({**BODY, "seed": 1}) == likeness({"seed": 1, **BODY})


def test_one_job_has_the_rows_of_all_its_lines_in_order(desk: Desk):
    rows = [[[float(number)] * 4] * (number + 1) for number in range(3)]
    (job,) = plan(numbered(*({**BODY, "instances": each} for each in rows)), desk).jobs
    assert job.lines == [(0, 1), (1, 2), (2, 3)]
    assert (job.spec.rows, job.spec.priority, job.spec.tenant, job.spec.content) == (6, "batch", "gold", None)


def test_a_line_that_says_its_priority_has_it(desk: Desk):
    (job,) = plan(numbered({**BODY, "priority": "interactive"}), desk).jobs
    assert job.spec.priority == "interactive"


def test_a_refused_line_takes_none_with_it(desk: Desk):
    planned = plan(numbered(BODY, {**BODY, "instances": [["x"]]}, BODY), desk)
    assert [job.lines for job in planned.jobs] == [[(0, 1), (2, 1)]]
    status, problem = planned.refused[1]
    assert (status, problem["code"], problem["errors"][0]["loc"].split(".")[0]) == (422, "invalid_input", "instances")


def test_methods_of_a_whole_job_are_asked_line_by_line(desk: Desk):
    planned = plan(numbered(*[{**BODY, "method": "report"}] * 3), desk)
    assert [job.lines for job in planned.jobs] == [[(0, 1)], [(1, 1)], [(2, 1)]]


def test_a_background_that_is_not_stored_is_the_lines_fault(desk: Desk):
    body = {**BODY, "baseline": {"background": {"id": "sha256:" + "0" * 64}}}
    planned = plan(numbered(body, body), desk)
    assert {problem["code"] for _, problem in planned.refused.values()} == {"invalid_baseline"}
    assert len(planned.refused) == 2


def test_a_line_of_too_many_rows_is_refused_as_its_own_request_would_be(desk: Desk):
    planned = plan(numbered({**BODY, "instances": [[1.0] * 4] * 101}), desk)
    assert planned.refused[0][0] == 413
