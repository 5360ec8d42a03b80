"""Guided Integrated Gradients: a way from baseline to instance that goes first where the output hardly changes.

At each step the elements with the smallest gradients move, as far as the step's share of the whole distance allows, and none
leaves a band about the straight line. So the way avoids gradients that have nothing to do with where it leads. The gradient
over a step is the mean of those at its ends, so that attributions sum to the output difference for smooth models.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.quadrature import ADVICE, completeness_gap
from workers.questions import Floats, GradientAnswer, Solution, gradients_at

SPEC = MethodSpec(
    name="guided_ig",
    title="Guided Integrated Gradients",
    summary=(
        "Gradients summed along a way that moves the elements with the smallest gradients first: less noise on pictures than "
        "the straight way. Each step waits for the one before."
    ),
    asks=("gradients",),
    params=(
        Param(
            name="max_steps",
            type="integer",
            default=128,
            unit="gradient evaluations",
            minimum=3,
            maximum=10_000,
            help="Gradient evaluations a row may cost, per baseline: one for each step, and one at the end.",
        ),
        Param(
            name="fraction",
            type="number",
            default=0.25,
            minimum=0.001,
            maximum=1,
            help="Share of the elements, those with the smallest gradients, that move at a time; 1: the straight way.",
        ),
        Param(
            name="band",
            type="number",
            default=0.1,
            unit="share of the way",
            minimum=0,
            maximum=1,
            help="How far an element may be before or behind the straight way; 1: as far as it likes.",
        ),
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the output difference",
            minimum=0,
            maximum=1,
            help="Completeness gap up to which the answer counts as converged; 0: not judged.",
        ),
    ),
    calls=Calls(gradients="max_steps"),
    completeness=True,
    smooth_inputs=True,
    reference="Kapishnikov et al., Guided Integrated Gradients: an Adaptive Path Method for Removing Noise, CVPR 2021",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one step after another, all baselines side by side."""
    row = game.numbers()
    flat = _Flat(row.instance)
    goal, starts = flat.joined({name: x[None] for name, x in row.instance.items()})[0], flat.joined(row.baselines)
    here, total, steps = starts.copy(), np.zeros(starts.shape), params["max_steps"] - 1
    answer: GradientAnswer = yield gradients_at(flat.apart(here))
    slope = flat.joined(answer.sums)
    for step in range(1, steps + 1):
        there = np.stack([
            _moved(at, start, goal, np.abs(gradient), step / steps, params["fraction"], params["band"])
            for at, start, gradient in zip(here, starts, slope, strict=True)
        ])  # fmt: skip
        answer = yield gradients_at(flat.apart(there))
        after = flat.joined(answer.sums)
        total += (there - here) * (slope + after) / 2
        here, slope = there, after
    mean = np.average(total, axis=0, weights=game.shares)
    found = {name: array[0] for name, array in flat.apart(mean[None]).items()}
    error = completeness_gap(found, game.difference)
    converged = error <= params["tolerance"] if params["tolerance"] or error == 0 else None
    return Solution(per_element=found, error=error, converged=converged, notes=(ADVICE,) if converged is False else ())


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost, per baseline."""
    return int(params["max_steps"])


def _moved(here: Floats, start: Floats, goal: Floats, slope: Floats, share: float, fraction: float, band: float) -> Floats:
    """Where one step leads: the distance left is 1 - share of the whole, in the sum of absolute differences, or less.

    All arrays [elements]; `slope`: absolute gradients.
    """
    way = goal - start
    least, most = start + max(share - band, 0.0) * way, start + min(share + band, 1.0) * way
    moving = way != 0
    done = np.zeros(here.shape)
    np.divide(here - start, way, out=done, where=moving)
    there = np.where(done < max(share - band, 0.0), least, here)
    left = float(np.abs(way).sum()) * (1 - share)
    free = moving & (done < min(share + band, 1.0))
    while (too_far := float(np.abs(goal - there).sum()) - left) > 0 and free.any():
        limit = np.quantile(slope[free], fraction, method="lower")
        chosen = free & (slope <= limit)
        reach = float(np.abs(most - there)[chosen].sum())
        part = 1.0 if reach <= too_far else too_far / reach
        there = np.where(chosen, there + part * (most - there), there)
        free &= ~chosen
    return goal.copy() if share == 1.0 else there


class _Flat:
    """The inputs of a row as one vector."""

    def __init__(self, row: Mapping[str, Floats]) -> None:
        self._shapes = {name: array.shape for name, array in row.items()}

    def joined(self, arrays: Mapping[str, Floats]) -> Floats:
        """Input -> [points, *row] as [points, elements]."""
        return np.concatenate([arrays[name].reshape(len(arrays[name]), -1) for name in self._shapes], axis=1)

    def apart(self, points: Floats) -> dict[str, Floats]:
        """[points, elements] as input -> [points, *row]."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])[:-1]
        parts = np.split(points, ends, axis=1)
        return {name: part.reshape(-1, *shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
