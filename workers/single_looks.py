"""The common case of looking inside: every question of a call is about one point, so the call's answer is cut, and not summed.

What many small jobs cost is not the model but what is done for each of them on the device: here that is done once for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from workers.looks import Look
from workers.plugins import Array, Model, Shown
from workers.questions import Internals
from workers.sums import FIGURES, Sums

Arrays = Mapping[str, NDArray[Any]]


def is_single(question: Internals, look: Look, evaluations: int) -> bool:
    """Whether a question is about one point, which counts once."""
    whole = evaluations == 1 and question.weights[0] == 1.0 and question.path is None
    return whole and look.walk is None and not (question.each or question.probe.steps)


def multiplied(question: Internals, seen: Shown, points: Mapping[str, Array], baselines: Mapping[str, Array] | None) -> Shown:
    """The same answer with its input gradients multiplied as the question wants them, for all points of the call at once."""
    if question.factor == "instance":
        seen.inputs = {name: gradient * points[name] for name, gradient in seen.inputs.items()}
    if question.factor == "difference" and baselines is not None:
        seen.inputs = {name: gradient * (points[name] - baselines[name]) for name, gradient in seen.inputs.items()}
    return seen


def fetched(model: Model, seen: Shown) -> list[tuple[str, str, NDArray[Any]]]:
    """What was shown, on the host: what it is, of which layer or input, and its numbers at all points."""
    parts: Sequence[tuple[str, Mapping[str, Array]]] = (
        ("activations", seen.activations), ("gradients", seen.gradients), ("inputs", seen.inputs),
    )  # fmt: skip
    told = [(what, name, model.fetch(tensor)) for what, tensors in parts for name, tensor in tensors.items()]
    return told if seen.statistics is None else [*told, (FIGURES, "", model.fetch(seen.statistics))]


def take(sums: Sums, shown: Sequence[tuple[str, str, NDArray[Any]]], number: int) -> None:
    """Give a question its point of the call."""
    for what, name, array in shown:
        sums.add(what, name, array[number])
