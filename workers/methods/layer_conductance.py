"""Layer conductance: how much of the output's change flows through each element of a layer.

    phi_j = integral over alpha in (0, 1) of dS/dy_j * dy_j/dalpha,  y at b + alpha (x - b)

by trapezoids: the activation's change between neighbouring points times the mean of the gradients there. The points lie closer
at both ends, where normalised networks change most (at a baseline of zeros above all). The walk is done again with twice the
points until the answer stays within the tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER
from workers.questions import Floats, Internals, Probe, Solution

SPEC = MethodSpec(
    name="layer_conductance",
    title="Layer conductance",
    summary="How much of the change from baseline to instance flows through each element of a layer's output.",
    asks=("internals",),
    smooth_inputs=True,
    params=(
        LAYER,
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the largest element",
            minimum=0,
            maximum=1,
            help="Stop when twice the points change no element by more than this; 0: one walk of max_steps points.",
        ),
        Param(
            name="max_steps",
            type="integer",
            default=512,
            unit="gradient evaluations",
            minimum=2,
            maximum=100_000,
            help="Gradient evaluations a row may cost, over all walks.",
        ),
    ),
    layer="any",
    calls=Calls(gradients="max_steps", adaptive="tolerance > 0 and max_steps >= 96", least="96"),
    completeness=False,
    reference="Dhamdhere, Sundararajan & Yan, How Important Is a Neuron?, ICLR 2019",
    about="layer",
)


FIRST_STEPS = 32
ADVICE = "Twice the points still changed the answer by more than the tolerance; raise max_steps, or take another baseline."


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: walks from baseline to instance, each of twice the points of the last."""
    name, tolerance = game.layers[0].path, params["tolerance"]
    error: float | None = None
    found: Floats | None = None
    for steps in stages(params["max_steps"], tolerance):
        alphas = (1 - np.cos(np.linspace(0, np.pi, steps))) / 2
        answer = yield Internals(Probe((name,), steps=True), alphas, np.zeros_like(alphas))
        before, found = found, answer.steps[name]
        if before is not None:
            error = float(np.abs(found - before).max() / max(np.abs(found).max(), 1e-12))
            if error <= tolerance:
                break
    converged = None if error is None else error <= tolerance
    return Solution(
        per_layer={name: np.zeros(0) if found is None else found},
        error=error,
        converged=converged,
        notes=(ADVICE,) if converged is False else (),
    )


def stages(max_steps: int, tolerance: float) -> Iterator[int]:
    """Points of each walk: 32, 64, 128, ... while they are within the budget; all of it at once without a tolerance."""
    if tolerance == 0 or max_steps < 3 * FIRST_STEPS:
        yield max_steps
        return
    steps = FIRST_STEPS
    while steps <= max_steps:
        yield steps
        max_steps, steps = max_steps - steps, 2 * steps


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
