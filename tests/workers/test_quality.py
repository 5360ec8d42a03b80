"""Figures and verdicts: each warns or fails with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from explainery.contract.catalogue import MethodSpec
from explainery.contract.result import Quality
from workers.game import Game, Partition
from workers.quality import quality_of
from workers.questions import Solution
from workers.recheck import Finding


def method(*, complete: bool = True, random: bool = False) -> MethodSpec:
    return MethodSpec(name="m", title="M", summary="s", asks=("values",), completeness=complete, random=random, reference="r")


def quality(
    values: list[float], fx: float = 3.0, fb: float = 1.0, *, complete: bool = True, random: bool = False, **more: object
) -> Quality:
    game = Game(Partition({"input": np.arange(len(values))}), fx, fb, seed=0)
    solution = Solution(per_player=np.array(values), **more)  # type: ignore[arg-type]
    return quality_of(game, solution, method(complete=complete, random=random))


def test_a_complete_answer_passes() -> None:
    found = quality([1.5, 0.5])
    assert (found.verdict, found.completeness_gap, found.notes) == ("pass", 0.0, ())


@pytest.mark.parametrize(
    ("total", "verdict"), [(2.019, "pass"), (2.021, "warn"), (2.19, "warn"), (2.21, "fail"), (0.0, "fail")]
)
def test_the_gap_decides(total: float, verdict: str) -> None:
    found = quality([total])
    assert found.verdict == verdict
    assert found.completeness_gap == pytest.approx(abs(total - 2) / 2)
    assert bool(found.notes) is (verdict != "pass")


def test_per_element_answers_are_summed_over_all_inputs() -> None:
    game = Game(Partition({"a": np.arange(2), "b": np.arange(2, 6).reshape(2, 2)}), 3.0, 1.0, seed=0)
    solution = Solution(per_element={"a": np.array([0.5, 0.5]), "b": np.full((2, 2), 0.25)})
    assert quality_of(game, solution, method()).completeness_gap == 0.0


def test_a_method_that_promises_no_completeness_has_no_gap() -> None:
    found = quality([100.0], complete=False)
    assert (found.verdict, found.completeness_gap) == ("pass", None)


@pytest.mark.parametrize(("fx", "fb"), [(1.0, 1.0), (0.0, 0.0), (1e6, 1e6 + 0.5)])
def test_equal_outputs_leave_nothing_to_attribute(fx: float, fb: float) -> None:
    found = quality([0.3, -0.3], fx, fb)
    assert found.verdict == "warn"
    assert "Try another baseline" in found.notes[0]


def test_not_converged_warns_and_says_what_to_do() -> None:
    assert quality([2.0], converged=True).verdict == "pass"
    assert quality([2.0], converged=None).verdict == "pass"
    found = quality([2.0], converged=False)
    assert found.verdict == "warn"
    assert "raise samples or max_steps" in found.notes[0]
    assert quality([2.0], converged=False, notes=("its own words.",)).notes == ("its own words.",)
    assert quality([9.0], converged=False).verdict == "fail"


def test_figures_are_carried() -> None:
    found = quality([1.0, 1.0], standard_error=np.array([0.1, 0.3]), error=0.2)
    assert (found.standard_error, found.approximation_error) == (pytest.approx(0.3), 0.2)
    assert quality([2.0]).standard_error is None
    assert quality([2.0], standard_error=np.array([])).standard_error == 0.0


@pytest.mark.parametrize(("error", "verdict"), [(0.05, "pass"), (0.2, "warn"), (0.6, "fail")])
def test_the_sampling_error_decides_for_a_random_method_whatever_its_tolerance(error: float, verdict: str) -> None:
    found = quality([2.0], random=True, converged=False, error=error, notes=("raise samples",))
    assert (found.verdict, found.converged) == (verdict, False)
    assert len(found.notes) == 1 + (verdict != "pass")
    assert quality([2.0], error=error).verdict == "pass"


@pytest.mark.parametrize(("spread", "verdict"), [(0.05, "pass"), (0.3, "warn"), (1.2, "fail")])
def test_standard_errors_decide_where_a_random_method_has_no_tolerance(spread: float, verdict: str) -> None:
    found = quality([2.0, 1.0], random=True, complete=False, standard_error=np.array([spread, 0.0]))
    assert (found.verdict, found.approximation_error) == (verdict, None)
    assert bool(found.notes) is (verdict != "pass")
    game = Game(Partition({"a": np.arange(2), "b": np.arange(2, 4)}), 3.0, 1.0, seed=0)
    parts = {"a": np.array([2.0, 1.0]), "b": np.zeros(2)}
    errors = {"a": np.zeros(2), "b": np.array([0.0, spread])}
    elements = Solution(per_element=parts, standard_error=errors)
    assert quality_of(game, elements, method(complete=False, random=True)).verdict == verdict


def test_errors_about_nothing_are_endless() -> None:
    found = quality([0.0, 0.0], 0.0, 0.0, random=True, complete=False, standard_error=np.array([0.1, 0.0]))
    assert found.verdict == "fail"
    assert quality([0.0], 0.0, 0.0, random=True, complete=False, standard_error=np.zeros(1)).verdict == "pass"


def test_the_interval_goes_with_the_standard_error() -> None:
    assert quality([2.0], standard_error=np.array([0.1])).interval_95_factor == pytest.approx(1.96, abs=1e-4)
    assert quality([2.0]).interval_95_factor is None


def test_checks_decide_too_and_say_why() -> None:
    game = Game(Partition({"input": np.arange(2)}), 3.0, 1.0, seed=0)
    findings = {
        "deletion": Finding({"score": 1.9, "curve": [1.0]}),
        "randomisation": Finding({"correlation": 0.95}, "Mind it."),
    }
    found = quality_of(game, Solution(per_player=np.array([1.5, 0.5])), method(), findings)
    assert found.checks is not None
    assert {name: each["verdict"] for name, each in found.checks.items()} == {"deletion": "warn", "randomisation": "fail"}
    assert found.verdict == "fail"
    assert len(found.notes) == 2
    assert found.checks["randomisation"]["note"] == f"{found.notes[1]} Mind it."
    assert quality([1.5, 0.5]).checks is None
