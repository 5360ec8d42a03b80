"""Gradients at noisy copies of the instance: what SmoothGrad and its kin ask, and their parameters."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Game, Params
from workers.questions import Answer, GradientAnswer, Gradients, Noise, Question
from workers.stopping import Stop, asked

NOISE_PARAMS = (
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
)


def of_noise(name: str, title: str, summary: str, reference: str, *, slopes: bool = False) -> MethodSpec:
    """What the catalogue says of a method that looks at gradients at noisy copies. `slopes`: its values have their unit."""
    return MethodSpec(
        name=name,
        title=title,
        summary=summary,
        asks=("gradients",),
        params=NOISE_PARAMS,
        calls=Calls(gradients="samples"),
        contributes=False,
        completeness=False,
        random=True,
        one_baseline=True,
        reference=reference,
        slopes=slopes,
    )


FEWEST = 2
"""Copies that make an estimate with a standard error."""


def look(game: Game, params: Params) -> Generator[Question, Answer, GradientAnswer]:
    """Ask for mean and variance of df/dx at x + noise; `outputs` says of how many copies. Raises Stop when they are too few."""
    seen, more = yield from asked(noisy(game, params))
    if not more and (seen is None or len(seen.outputs) < FEWEST):
        raise Stop
    found: GradientAnswer = seen
    return found


def noisy(game: Game, params: Params) -> Gradients:
    """The question: mean and variance of df/dx at x + noise. Baselines play no part, so one stands for all."""
    samples = params["samples"]
    return Gradients(
        alphas=np.ones(samples),
        weights=np.full(samples, 1 / samples),
        noise=Noise(game.seed, params["noise"]),
        baselines=np.zeros(samples, dtype=np.int64),
        variances=True,
    )
