"""SmoothGrad: the mean gradient over noisy copies of the instance."""

from __future__ import annotations

import numpy as np

from workers.game import Explaining, Game, Params
from workers.noisy import look, of_noise
from workers.questions import Solution
from workers.standard_errors import widening

SPEC = of_noise(
    name="smoothgrad",
    title="SmoothGrad",
    summary="The signed gradient averaged over copies of the instance with Gaussian noise: saliency without its speckle.",
    reference="Smilkov, Thorat, Kim, Viegas & Wattenberg, SmoothGrad: removing noise by adding noise, 2017, arXiv:1706.03825",
    slopes=True,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the mean of df/dx at x + noise."""
    seen = yield from look(game, params)
    others = len(seen.outputs) - 1
    wide = float(widening(others)) if others else 0.0
    errors = {name: wide * np.sqrt(variance / others) for name, variance in seen.variances.items()} if others else None
    return Solution(per_element=seen.sums, standard_error=errors)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"])
