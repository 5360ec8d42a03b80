"""Blur Integrated Gradients: gradients summed along a picture's way from blurred beyond recognition to sharp.

    phi = sum over k of df/dx at the middle of (x_k, x_k+1) * (x_k+1 - x_k),   x_k = x blurred with sigma_k, down to 0

No baseline is chosen: nothing is on the way that is not in the picture. The way is walked again with twice the steps until the
attributions sum to f(x) - f(blurred x), which stands as the explanation's baseline output.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, InputView, Params
from workers.quadrature import ADVICE, completeness_gap, max_steps, stages, tolerance
from workers.questions import Answer, Floats, GradientAnswer, Question, Solution, gradients_at

SPEC = MethodSpec(
    name="blur_ig",
    title="Blur Integrated Gradients",
    summary=(
        "Gradients summed along the way from the blurred picture to the sharp one. Its baseline is the blurred picture, "
        "whatever baseline the request names: the result's baseline_output is the output there."
    ),
    asks=("gradients",),
    params=(
        Param(
            name="blur",
            type="number",
            default=0.2,
            unit="share of the longer side",
            minimum=0.001,
            maximum=1,
            help="Standard deviation of the Gaussian blur where the way begins.",
        ),
        tolerance("the output difference"),
        max_steps(2),
    ),
    calls=Calls(gradients="max_steps", adaptive="tolerance > 0 and max_steps >= 49", least="17"),
    one_baseline=True,
    completeness=True,
    modality="image",
    reference="Xu, Venugopalan & Sundararajan, Attribution in Scale and Space, CVPR 2020",
)

AT_ONCE = 16
"""Points in one question: each is a picture."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: walk with more and more steps until the gap is within the tolerance."""
    sharp = game.numbers().instance
    best, error = {name: np.zeros(array.shape) for name, array in sharp.items()}, math.inf
    far = {view.name: params["blur"] * max(view.shape[axis] for axis in _space(view)) for view in game.inputs}
    for steps in stages(params["max_steps"] - 1, params["tolerance"]):
        if math.isinf(error):
            answer: GradientAnswer = yield gradients_at({name: array[None] for name, array in _blurred(game, far, 1.0).items()})
            game.baseline_output = float(answer.outputs[0])
        found = yield from _walk(game, far, steps)
        gap = completeness_gap(found, game.difference)
        if gap < error or math.isinf(error):
            best, error = found, gap
        if error <= params["tolerance"]:
            break
    converged = error <= params["tolerance"] if params["tolerance"] or error == 0 else None
    return Solution(per_element=best, error=error, converged=converged, notes=(ADVICE,) if converged is False else ())


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])


def _walk(game: Game, far: dict[str, float], steps: int) -> Generator[Question, Answer, dict[str, Floats]]:
    """The sum over one way of `steps` straight pieces."""
    total = {name: np.zeros(array.shape) for name, array in game.numbers().instance.items()}
    here = _blurred(game, far, 1.0)
    for first in range(0, steps, AT_ONCE):
        ways = [
            here,
            *(_blurred(game, far, 1 - number / steps) for number in range(first + 1, min(first + AT_ONCE, steps) + 1)),
        ]
        stops = {name: np.stack([way[name] for way in ways]) for name in total}
        answer: GradientAnswer = yield gradients_at({name: (stop[1:] + stop[:-1]) / 2 for name, stop in stops.items()})
        for name, stop in stops.items():
            total[name] += (answer.sums[name] * np.diff(stop, axis=0)).sum(axis=0)
        here = ways[-1]
    return total


def _blurred(game: Game, far: dict[str, float], share: float) -> dict[str, NDArray[np.float64]]:
    """The row blurred with so much of the farthest blur."""
    made = {}
    for view in game.inputs:
        sigma = [0.0] * len(view.shape)
        for axis in _space(view):
            sigma[axis] = far[view.name] * share
        made[view.name] = np.asarray(gaussian_filter(game.numbers().instance[view.name], sigma, mode="nearest"))
    return made


def _space(view: InputView) -> tuple[int, int]:
    layout = str(view.layout)[1:]
    return layout.index("H"), layout.index("W")
