"""HSIC attribution: how much the output depends on whether a feature is present, by a kernel measure of dependence.

Sees dependence of any form, not only of the mean. Masks are drawn half present; the measure is in `workers/dependence.py`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.coalitions import Coalitions, every_coalition, frozen
from workers.dependence import jackknifed, kernel, sampled, whole
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES, sampling
from workers.questions import Solution, Values
from workers.stopping import Stop, asked

SPEC = MethodSpec(
    name="hsic",
    title="HSIC attribution (dependence on masks)",
    summary=(
        "How strongly the output depends on whether a feature is present, between 0 (not at all) and 1, with standard errors. "
        "Says how much a feature matters, not in which direction. Needs predictions only."
    ),
    asks=("values",),
    params=(
        sampling(1536, "From 2**features on every mask is asked.", least=34, most=4096),
        FEATURES,
    ),
    calls=Calls(values="min(samples - 2, 2 ** players - 2)"),
    contributes=False,
    completeness=False,
    random=True,
    reference=(
        "Novello, Fel & Vigouroux, Making Sense of Dependence: Efficient Black-box Explanations Using Dependence Measure, "
        "NeurIPS 2022"
    ),
)


FEWEST = 32
"""Masks below which nothing is said."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: ask for the masks, measure the dependence of the output on each feature."""
    n, masks = game.players, params["samples"] - 2
    if 2**n - 2 <= masks:
        between = every_coalition(n)
        values, more = (yield from asked(Values(between))) if n > 1 else (np.zeros(0), True)
        if not more:
            raise Stop
        present = np.concatenate([between.reshape(-1, n), [[True] * n, [False] * n]])
        outputs = np.concatenate([values, [game.instance_output, game.baseline_output]])
        return Solution(per_player=whole(_signs(present), kernel(outputs)), standard_error=np.zeros(n))
    drawn = _drawn(n, masks, game.seed)
    outputs, more = yield from asked(Values(drawn))
    if not more and (outputs is None or len(outputs) < FEWEST):
        raise Stop
    signs, likeness = _signs(drawn[: len(outputs)]), kernel(outputs)
    return Solution(
        per_player=sampled(signs, likeness),
        standard_error=jackknifed(signs, likeness),
        converged=None if more else False,
    )


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(min(params["samples"] - 2, 2**players - 2))


@lru_cache(maxsize=4)
def _drawn(players: int, count: int, seed: int) -> Coalitions:
    return frozen(generator(seed, f"hsic/{players}").random((count, players)) < 0.5)


def _signs(present: Coalitions) -> np.ndarray:
    return np.where(present, 1.0, -1.0)
