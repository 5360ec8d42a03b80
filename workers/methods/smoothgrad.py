"""SmoothGrad: the mean gradient over noisy copies of the instance."""

from __future__ import annotations

import numpy as np

from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.questions import Gradients, Noise, Solution

SPEC = MethodSpec(
    name="smoothgrad",
    title="SmoothGrad",
    summary="The signed gradient averaged over copies of the instance with Gaussian noise: saliency without its speckle.",
    asks=("gradients",),
    params=(
        Param(
            name="samples",
            type="integer",
            default=50,
            unit="gradient evaluations",
            minimum=1,
            maximum=100_000,
            help="Noisy copies of the instance, each a gradient evaluation.",
        ),
        Param(
            name="noise",
            type="number",
            default=0.15,
            unit="share of the input's range",
            minimum=0,
            maximum=10,
            help="Standard deviation of the noise, as a share of the instance's range (its maximum less its minimum).",
        ),
    ),
    completeness=False,
    random=True,
    reference="Smilkov, Thorat, Kim, Viegas & Wattenberg, SmoothGrad: removing noise by adding noise, 2017, arXiv:1706.03825",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the mean of df/dx at x + noise."""
    samples = params["samples"]
    mean = yield Gradients(
        alphas=np.ones(samples), weights=np.full(samples, 1 / samples), noise=Noise(game.seed, params["noise"])
    )
    return Solution(per_element=mean.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"])
