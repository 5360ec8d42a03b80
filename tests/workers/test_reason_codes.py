"""Reasons through the engine: of a linear model they are known in closed form."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import repos

from explainery.contract.job import JobRequest
from explainery.contract.reasons import Reason
from explainery.contract.tensors import pack, unpack_result
from explainery.settings import load
from explainery.store.jobs import Claim
from service.admission import Terms, admit
from service.shelf import Shelf
from workers.batch import Batch
from workers.explaining import _wholes
from workers.game import Partition
from workers.local import Local
from workers.offering import offer_of
from workers.questions import Solution

WEIGHTS = [1.0, -2.0, 0.5, -4.0]
CODES = '[reasons]\nincome = {code = "R1", text = "Income"}\nhome = {code = "R2", text = "Home"}\n'


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("bank")
    names = ["income", "debt", "rents", "owns"]
    table = repos.tensor_input("row", [4], "FP64", "tabular", features=names, groups={"home": ["rents", "owns"]})
    place = repos.add_stub(folder, "loan", 4, inputs=table, weights=WEIGHTS)
    card = place / "card.toml"
    card.write_text(card.read_text() + CODES)
    return Local(dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1))


def reasons(bank: Local, rows: list[list[float]], method: str = "exact_shapley", **more: Any) -> list[tuple[Reason, ...]]:
    shelf = Shelf(offer_of(bank.registry, bank.repository.scan(), bank.settings))
    request = {"model": "loan", "method": method, "instances": rows, "baseline": "zeros", "reasons": {}, **more}
    admitted = admit(JobRequest.model_validate(request), shelf, Terms(), job_id="0" * 26)
    batch = Batch(bank.load("loan"), bank.registry, bank.governor, 8)
    batch.admit(Claim(admitted.spec, 1, 1, 0, 0, None, pack(admitted.arrays)))
    while True:
        batch.plan()
        finished, failures = batch.step()
        assert not failures
        if finished:
            result = unpack_result(finished[0].result())[0]
            return [explanation.reasons or () for explanation in result.explanations]


def told(found: tuple[Reason, ...]) -> list[tuple[str | None, tuple[str, ...], float]]:
    return [(each.code, each.features, round(each.contribution, 6)) for each in found]


def test_each_row_has_its_reasons_and_a_group_is_one(bank: Local) -> None:
    against, also = reasons(bank, [[1.0, 1.0, 1.0, 1.0], [-3.0, -1.0, 2.0, 0.0]])
    assert told(against) == [("R2", ("home",), -3.5), (None, ("debt",), -2.0)]
    assert all(each.certain and each.standard_error == 0 for each in against)
    assert told(also) == [("R1", ("income",), -3.0)]


def test_elements_of_a_group_are_summed_where_they_are_told_apart(bank: Local) -> None:
    (found,) = reasons(bank, [[1.0, 1.0, 1.0, 1.0]], params={"features": "elements"})
    assert told(found) == [("R2", ("rents", "owns"), -3.5), (None, ("debt",), -2.0)]


def test_the_other_direction_and_fewer(bank: Local) -> None:
    (found,) = reasons(bank, [[1.0, 1.0, 1.0, 1.0]], reasons={"direction": "for", "top": 1})
    assert told(found) == [("R1", ("income",), 1.0)]


def test_a_sampling_method_says_how_certain_the_order_is(bank: Local) -> None:
    (found,) = reasons(bank, [[1.0, 1.0, 1.0, 1.0]], "lime", params={"samples": 8, "features": "elements"}, seed=3)
    assert all(each.standard_error is not None for each in found)


def test_without_being_asked_there_are_none(bank: Local) -> None:
    assert reasons(bank, [[1.0, 1.0, 1.0, 1.0]], reasons=None) == [()]


def test_the_sum_of_all_reasons_is_the_difference(bank: Local) -> None:
    row = [[1.0, 1.0, 1.0, 1.0]]
    both = [each for way in ("for", "against") for each in reasons(bank, row, reasons={"direction": way, "top": 9})[0]]
    assert sum(each.contribution for each in both) == pytest.approx(float(np.sum(WEIGHTS)))


def test_the_elements_of_a_player_err_together() -> None:
    """Of 16 elements in one player with a standard error of 0.4 the sum errs by 0.4, and not by 0.4 / 4."""
    partition = Partition({"picture": np.zeros((4, 4), dtype=np.int64), "row": np.array([1, 2])})
    solution = Solution(per_player=np.ones(3), standard_error=np.array([0.4, 0.3, 0.4]))
    errors = {"picture": np.full((4, 4), 0.4 / 16), "row": np.array([0.3, 0.4])}
    assert _wholes(partition, solution, errors) == {"picture": pytest.approx(0.4), "row": pytest.approx(0.5)}
    assert _wholes(partition, Solution(standard_error=errors), errors)["picture"] == pytest.approx(0.1)
    assert _wholes(partition, Solution(), {}) == {}
