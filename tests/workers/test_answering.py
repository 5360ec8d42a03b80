"""Chunks come to what a loop over single evaluations gives, however they are cut and whoever shares them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import questions_by_loop as loop
import torch
from questions_by_loop import Formula, make_row

from explainery.contract.errors import ModelFailed, ModelOutputNotFinite
from workers.answering import Answering, Tally
from workers.batching import Pending, Slice
from workers.explaining import Frame
from workers.game import Partition
from workers.questions import Gradients, Noise, Outputs, Values

PARTITION = Partition({"a": np.array([0, 0, 1]), "b": np.array([[2, 3], [3, 2]])})
COALITIONS = np.random.Generator(np.random.Philox(5)).random((7, 4)) < 0.5
ALPHAS, WEIGHTS = np.linspace(0, 1, 7), np.random.Generator(np.random.Philox(6)).normal(size=7)
CUTS = {"whole": lambda number: 10**6, "one by one": lambda number: 1, "uneven": lambda number: 1 + (number * 7) % 5}


def rows(model: Any = None, backgrounds: int = 1) -> list[Any]:
    return [make_row(model or Formula(), PARTITION, seed, backgrounds, column=seed % 2) for seed in range(3)]


@pytest.mark.parametrize("backgrounds", [1, 4])
@pytest.mark.parametrize("cut", CUTS)
def test_values_of_coalitions(cut: str, backgrounds: int) -> None:
    model, question = Formula(), Values(COALITIONS)
    asked = rows(model, backgrounds)
    answers = loop.ask(model, [Tally(row, question) for row in asked], CUTS[cut])
    for row, answer in zip(asked, answers, strict=True):
        np.testing.assert_allclose(answer, loop.values(model, row, question), rtol=1e-12)
    assert sum(model.calls) == 3 * 7 * backgrounds
    assert cut != "whole" or len(model.calls) == 1


@pytest.mark.parametrize("backgrounds", [1, 4])
@pytest.mark.parametrize("factor", ["one", "instance", "difference"])
@pytest.mark.parametrize("noise", [None, Noise(3, 0.1), Noise(3, 0.1, first=20)])
@pytest.mark.parametrize("cut", CUTS)
def test_sums_of_gradients(cut: str, noise: Noise | None, factor: Any, backgrounds: int) -> None:
    model, question = Formula(), Gradients(ALPHAS, WEIGHTS, factor, noise)
    asked = rows(model, backgrounds)
    answers = loop.ask(model, [Tally(row, question) for row in asked], CUTS[cut])
    for row, answer in zip(asked, answers, strict=True):
        expected = loop.gradients(model, row, question)
        np.testing.assert_allclose(answer.outputs, expected.outputs, rtol=1e-12)
        for name in expected.sums:
            np.testing.assert_allclose(answer.sums[name], expected.sums[name], rtol=1e-10, atol=1e-12)
    assert sum(model.calls) == 3 * 7 * backgrounds


@pytest.mark.parametrize("cut", CUTS)
def test_frames(cut: str) -> None:
    model = Formula()
    asked = rows(model, 4)
    answers = loop.ask(model, [Tally(row, Frame()) for row in asked], CUTS[cut])
    for row, answer in zip(asked, answers, strict=True):
        np.testing.assert_allclose(answer.instance, model.outputs(row.instance)[0])
        np.testing.assert_allclose(answer.baseline, model.outputs(row.baselines).mean(axis=0))


def points(count: int, seed: int = 3) -> Outputs:
    rng = np.random.Generator(np.random.Philox(seed))
    return Outputs({"a": rng.normal(size=(count, 3)), "b": rng.normal(size=(count, 2, 2))})


@pytest.mark.parametrize("backgrounds", [1, 4])
@pytest.mark.parametrize("cut", CUTS)
def test_outputs_at_points_of_ones_own(cut: str, backgrounds: int) -> None:
    """All columns, whatever the row's target is, and once a point, however many baselines the row has."""
    model, questions = Formula(), [points(7, seed) for seed in range(3)]
    tallies = [Tally(row, question) for row, question in zip(rows(model, backgrounds), questions, strict=True)]
    for answer, question in zip(loop.ask(model, tallies, CUTS[cut]), questions, strict=True):
        assert answer.shape == (7, 2)
        np.testing.assert_allclose(answer, loop.outputs(model, question), rtol=1e-12)
    assert sum(model.calls) == 3 * 7


def test_points_of_ones_own_share_a_call_and_are_cast_to_the_rows_precision() -> None:
    model = Formula()
    seen: list[Any] = []
    model.forward = lambda inputs: seen.append(inputs) or model.outputs(inputs)  # type: ignore[method-assign,func-returns-value]
    row = make_row(model, PARTITION, 0, 1, dtype=np.float32)
    values, found = loop.ask(model, [Tally(row, Values(COALITIONS)), Tally(row, points(4))], CUTS["whole"])
    assert (len(values), found.shape) == (7, (4, 2))
    (inputs,) = seen
    assert inputs["a"].dtype == np.float32
    assert len(inputs["a"]) == 7 + 4


def test_points_where_the_model_is_not_finite_are_the_askers_fault_only() -> None:
    model = Formula()
    row = rows(model)[0]
    good, bad = points(3), points(3)
    bad.points["a"][1] = np.nan
    pendings = [Pending(tally, tally.question, tally.kind, 3, True, 0.0) for tally in (Tally(row, good), Tally(row, bad))]
    faults = Answering(model).ask([Slice(pending, 0, 3) for pending in pendings])
    assert [piece.pending for piece, _ in faults] == [pendings[1]]
    np.testing.assert_allclose(pendings[0].asker.answer(), loop.outputs(model, good))


def test_frames_and_coalitions_share_a_call() -> None:
    model = Formula()
    first, second, _ = rows(model)
    frame, values = loop.ask(model, [Tally(first, Frame()), Tally(second, Values(COALITIONS))], CUTS["whole"])
    assert model.calls == [2 + 7]
    np.testing.assert_allclose(frame.instance, model.outputs(first.instance)[0])
    np.testing.assert_allclose(values, loop.values(model, second, Values(COALITIONS)))


def test_kinds_share_only_what_fits_together() -> None:
    row, other = rows()[:2]
    wide = make_row(Formula(), PARTITION, 0, 1)
    wide.instance["a"] = np.zeros((1, 9))
    values = Tally(row, Values(COALITIONS)).kind
    assert Tally(other, Frame()).kind == values
    assert Tally(other, Gradients(ALPHAS, WEIGHTS)).kind != values
    assert Tally(wide, Values(COALITIONS)).kind != values


def test_masks_of_a_shared_plan_are_placed_once() -> None:
    placed: list[Any] = []

    class Counting(Formula):
        def place(self, array: Any) -> Any:
            placed.extend([array] if array.dtype == bool else [])
            return array

    model = Counting()
    loop.ask(model, [Tally(row, Values(COALITIONS)) for row in rows(model)], CUTS["uneven"])
    assert len(placed) == 1
    many = [Values(COALITIONS.copy()) for _ in range(40)]  # plans that come and go do not mix up, though addresses repeat
    for question in many:
        np.testing.assert_allclose(
            loop.ask(model, [Tally(rows(model)[0], question)], CUTS["whole"])[0],
            loop.values(model, rows(model)[0], question),
        )


def test_half_precision_is_summed_in_single() -> None:
    """4000 small terms that come to 3: a sum in half precision stops at 2."""

    class Half(Formula):
        def gradients(self, inputs: Any, columns: Any) -> Any:
            slopes = {name: np.full_like(array, 1.0) for name, array in inputs.items()}
            return np.ones(len(columns)), slopes

    model = Half()
    row = make_row(model, PARTITION, 1, 1, dtype=np.float16)
    count = 4000
    question = Gradients(np.linspace(0, 1, count), np.full(count, 3 / count))
    (answer,) = loop.ask(model, [Tally(row, question)], lambda number: 1)
    np.testing.assert_allclose(answer.sums["a"], 3.0, rtol=1e-3)


def piece(row: Any, question: Any) -> list[Slice[Tally]]:
    tally = Tally(row, question)
    return [Slice(Pending(tally, question, tally.kind, tally.evaluations, True, 0.0), 0, tally.evaluations)]


class Faulty(Formula):
    """Raises, or answers, what it was made with."""

    def __init__(self, fault: Any) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, inputs: Any) -> Any:
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault(self.outputs(inputs))

    def gradients(self, inputs: Any, columns: Any) -> Any:
        outputs, slopes = super().gradients(inputs, columns)
        if isinstance(self.fault, Exception):
            raise self.fault
        return outputs, {name: self.fault(slope) for name, slope in slopes.items()}


@pytest.mark.parametrize("question", [Values(COALITIONS), Gradients(ALPHAS, WEIGHTS)])
@pytest.mark.parametrize("fault", [ValueError("input was 42"), RuntimeError("input was 42"), IndexError(), KeyError("42")])
def test_what_a_model_raises_is_told_without_its_words(fault: Exception, question: Any) -> None:
    model = Faulty(fault)
    with pytest.raises(ModelFailed) as told:
        Answering(model).ask(piece(rows(model)[0], question))
    assert type(fault).__name__ in told.value.detail
    assert "42" not in told.value.detail


@pytest.mark.parametrize("question", [Values(COALITIONS), Gradients(ALPHAS, WEIGHTS)])
@pytest.mark.parametrize("fault", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_running_out_is_no_fault_of_the_model(fault: Exception, question: Any) -> None:
    model = Faulty(fault)
    with pytest.raises(MemoryError):
        Answering(model).ask(piece(rows(model)[0], question))


def test_memory_running_out_while_points_are_built() -> None:
    class Full:
        @staticmethod
        def where(*_: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = Formula(xp=Full)
    with pytest.raises(MemoryError):
        Answering(model).ask(piece(rows(model)[0], Values(COALITIONS)))


@pytest.mark.parametrize("mixed", [lambda f: f[:1], lambda f: f[:-1], lambda f: np.concatenate([f, f])])
def test_a_model_that_mixes_its_rows_is_found_out(mixed: Any) -> None:
    model = Faulty(mixed)
    with pytest.raises(ModelFailed):
        Answering(model).ask(piece(rows(model)[0], Values(COALITIONS)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_only_the_question_whose_output_is_not_finite_is_at_fault(bad: float) -> None:
    def spoil(outputs: Any) -> Any:
        outputs[8] = bad
        return outputs

    model = Faulty(spoil)
    first, second, _ = rows(model)
    chunk = piece(first, Values(COALITIONS)) + piece(second, Values(COALITIONS))
    ((faulty, error),) = Answering(model).ask(chunk)
    assert faulty is chunk[1]
    assert isinstance(error, ModelOutputNotFinite)
    np.testing.assert_allclose(chunk[0].pending.asker.answer(), loop.values(model, first, Values(COALITIONS)))


def test_a_gradient_that_is_not_finite_is_no_answer() -> None:
    model = Faulty(lambda slope: slope * np.nan)
    chunk = piece(rows(model)[0], Gradients(ALPHAS, WEIGHTS))
    assert Answering(model).ask(chunk) == []
    with pytest.raises(ModelOutputNotFinite, match="gradient"):
        chunk[0].pending.asker.answer()
