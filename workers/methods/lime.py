"""LIME: a linear model of the output, fitted to what the model answers near the instance.

    minimise over phi, phi_0:  sum over coalitions z of pi(z) (f(z) - phi_0 - phi z)^2,   pi(z) = exp(-(d(z) / width)^2)

Players are those of the modality: columns, patches or superpixels, windows of time, words. They are present or take the
baseline's value. The fit is plain weighted least squares: no penalty shrinks the answer, nothing is selected.
"""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.locally import Local, local
from workers.parameters import FEATURES, sampling
from workers.questions import Floats, Solution, Values
from workers.stopping import Stop, asked

SPEC = MethodSpec(
    name="lime",
    title="LIME (locally weighted linear model)",
    summary=(
        "The coefficients of a linear model fitted around the instance, with standard errors. Its error figure is the share of "
        "the output's local variance that the linear model does not explain (1 - R2)."
    ),
    asks=("values",),
    params=(
        sampling(1024, "From 2**features on: all coalitions.", most=100_000),
        Param(
            name="kernel_width",
            type="number",
            default=0.25,
            unit="cosine distance",
            minimum=0.01,
            maximum=100,
            help="How near counts as near: at this distance a coalition weighs 1/e. Half of the features absent: 0.29.",
        ),
        FEATURES,
    ),
    calls=Calls(values="min(samples - 2, 2 ** players - 2)"),
    completeness=False,
    random=True,
    reference='Ribeiro, Singh & Guestrin, "Why Should I Trust You?": Explaining the Predictions of Any Classifier, KDD 2016',
)

ENOUGH = 8
"""Samples for each feature that tell the features apart, unless the kernel is too narrow."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: ask for the coalitions of the plan, fit."""
    plan = local(game.players, params["samples"] - 2, float(params["kernel_width"]), game.seed)
    values = np.zeros(0)
    if len(plan.coalitions):
        values, more = yield from asked(Values(plan.coalitions))
        if not more:
            plan = _cut_short(game, params, plan, values)
    fit = plan.fit(values, game.instance_output, game.baseline_output)
    notes = () if plan.determined else (_undetermined(game.players, params["samples"], complete=plan.complete),)
    return Solution(
        per_player=fit.coefficients,
        standard_error=fit.standard_error,
        unexplained=fit.unexplained,
        converged=None if plan.determined else False,
        notes=notes,
    )


def _cut_short(game: Game, params: Params, plan: Local, values: Floats | None) -> Local:
    """The plan of the coalitions whose values came. Raises Stop when they are no fair sample, or too few."""
    if values is None or plan.complete:
        raise Stop
    shorter = local(game.players, len(values), float(params["kernel_width"]), game.seed)
    if not shorter.determined:
        raise Stop
    return shorter


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(min(params["samples"] - 2, 2**players - 2))


def _undetermined(players: int, samples: int, *, complete: bool) -> str:
    if complete or samples >= ENOUGH * players:
        return "The kernel is so narrow that beside the instance nothing counts: raise kernel_width."
    return f"{samples} samples cannot tell {players} features apart: raise samples to {ENOUGH * players}, or group features."
