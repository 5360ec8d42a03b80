"""Kernel SHAP: Shapley values from sampled coalitions, refined until the standard errors are small enough.

Coalitions come from `workers/pairs.py`, estimators from `workers/kriging.py` and, for large budgets, `workers/regression.py`.
All are cached, so a row costs a small matrix product. When the budget reaches every coalition the answer is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.coalitions import Coalitions, frozen
from workers.game import Explaining, Game, Params
from workers.kriging import Kriging, exact, kriging
from workers.pairs import inclusion, leverage_pairs, pairs_in_all
from workers.parameters import FEATURES, TOLERANCE, sampling
from workers.questions import Floats, Solution, Values
from workers.regression import Regression, regression
from workers.standard_errors import relative_error
from workers.stopping import Stop, asked

SPEC = MethodSpec(
    name="kernel_shap",
    title="Kernel SHAP (paired leverage sampling)",
    summary=(
        "Shapley values from a sample of coalitions, with standard errors: the fair share of each feature in the difference "
        "between the outputs at the instance and at the baseline. Needs predictions only."
    ),
    asks=("values",),
    params=(
        sampling(2048, "From 2**features on: exact."),
        TOLERANCE,
        FEATURES,
    ),
    calls=Calls(
        values="2 * min((samples - 2) // 2, 2 ** (players - 1) - 1)",
        adaptive="tolerance > 0",
        least="min(2 * min((samples - 2) // 2, 2 ** (players - 1) - 1), max(4 * players, 32))",
    ),
    completeness=True,
    random=True,
    reference=(
        "Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017; "
        "Covert & Lee, Improving KernelSHAP, AISTATS 2021; "
        "Musco & Witter, Provably Accurate Shapley Value Estimation via Leverage Score Sampling, ICLR 2025"
    ),
)

KRIGED = 1024
"""Most pairs that are kriged together: memory grows with their square. With more, regression competes with them."""
FIRST_PAIRS = 16


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: ask for pairs of coalitions, estimate, ask for more until the tolerance is met."""
    values = np.empty(0)
    phi, error, spread = np.zeros(game.players), math.inf, None
    for before, pairs in stages(game.players, params["samples"], params["tolerance"]):
        plan, more = plan_for(game.players, before, pairs, game.seed), True
        if len(plan.fresh):
            fresh, more = yield from asked(Values(plan.fresh))
            values = np.append(values, [] if fresh is None else fresh)
        if not more:
            plan, values = _cut_short(game, values)
        phi, spread = plan.estimate(values, game.difference)
        error = math.inf if spread is None else relative_error(phi, spread, game)
        if error <= params["tolerance"] or not more:
            break
    converged = error <= params["tolerance"] if params["tolerance"] or error in (0, math.inf) else None
    return Solution(
        per_player=phi,
        standard_error=spread,
        error=None if math.isinf(error) else error,
        converged=converged,
        notes=() if converged is not False else (_advice(game.players, params["samples"], spread),),
    )


def _cut_short(game: Game, values: Floats) -> tuple[Plan, Floats]:
    """The plan of the pairs whose values came. Raises Stop when they do not tell the players apart.

    Counts of four binary digits: estimators are costly, and rows that were cut at about the same place share one.
    """
    pairs = len(values) // 2
    spare = max(pairs.bit_length() - 4, 0)
    pairs = pairs >> spare << spare
    if pairs < game.players:
        raise Stop
    return plan_for(game.players, 0, pairs, game.seed), values[: 2 * pairs]


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 2 * _budget(players, params["samples"])


def stages(players: int, samples: int, tolerance: float) -> Iterator[tuple[int, int]]:
    """Pairs asked before, and in all, at each stage: doubling, the last takes what is left. One stage without a tolerance."""
    total = _budget(players, samples)
    before, pairs = 0, total if tolerance == 0 else max(2 * players, FIRST_PAIRS)
    while 0 < 2 * pairs <= total:
        yield before, pairs
        before, pairs = pairs, 2 * pairs
    yield before, total


def _budget(players: int, samples: int) -> int:
    """Pairs the samples pay for: f(x) and f(b) are two of them."""
    return min((samples - 2) // 2, pairs_in_all(players))


@dataclass(frozen=True, eq=False)
class Plan:
    """One stage: the coalitions it adds, each followed by its complement, and what estimates from all its pairs.

    Each estimator uses the first `used` pairs.
    """

    fresh: Coalitions
    estimators: tuple[tuple[int, Kriging | Regression], ...]

    def estimate(self, values: Floats, difference: float) -> tuple[Floats, Floats | None]:
        """Attributions and their standard errors (None when the pairs do not determine them), each [players].

        Of several estimates, the one with the smallest variance.
        """
        odd = (values[0::2] - values[1::2]) / 2
        answers = [estimator.answer(np.append(odd[:used], difference / 2)) for used, estimator in self.estimators]
        phi, variance = min(answers, key=lambda answer: math.inf if answer[1] is None else float(answer[1].sum()))
        return phi, None if variance is None else np.sqrt(variance)


def plan_for(players: int, before: int, pairs: int, seed: int) -> Plan:
    """The plan of a stage, from the cache: large ones are few, small ones many."""
    return (_small_plan if pairs <= KRIGED // 4 else _large_plan)(players, before, pairs, seed)


def make_plan(players: int, before: int, pairs: int, seed: int) -> Plan:
    """Draw the pairs of a stage and prepare their estimators."""
    smaller = leverage_pairs(players, pairs, seed)
    fresh = np.stack([smaller[before:], ~smaller[before:]], axis=1).reshape(-1, players)
    return Plan(frozen(fresh), tuple(_estimators(smaller)))


def _estimators(pairs: Coalitions) -> Iterator[tuple[int, Kriging | Regression]]:
    count, players = pairs.shape
    if count == pairs_in_all(players):
        yield count, exact(pairs)
        return
    first = pairs[: max(KRIGED, 4 * players)]
    yield len(first), kriging(first, inclusion(first))
    if len(first) < count:
        yield count, regression(pairs, inclusion(pairs))


_small_plan = lru_cache(maxsize=128)(make_plan)
_large_plan = lru_cache(maxsize=6)(make_plan)


def _advice(players: int, samples: int, spread: Floats | None) -> str:
    if spread is None:
        return f"{samples} samples cannot tell {players} features apart: raise samples to {8 * players}, or group features."
    return "The standard errors are above the tolerance; raise samples, group features, or accept a larger tolerance."
