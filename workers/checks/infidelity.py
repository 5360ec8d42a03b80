"""Infidelity: what the attributions foretell of a perturbation, against what it does.

    INFD(phi, f, x) = E_I [ (I . phi - (f(x) - f(x - I)))^2 ]

I takes a random set S of players to the baseline: I = x - b on S, and I . phi is the sum of what the players of S are said to
contribute. A method whose values are slopes has them multiplied with x - b.
"""

from __future__ import annotations

import numpy as np

from explainery.contract.catalogue import CheckSpec, Param
from workers.game import Params
from workers.perturbations import perturbations
from workers.questions import Floats, Values
from workers.ranks import FLAT, correlation
from workers.recheck import Checking, Finding, Subject

SPEC = CheckSpec(
    name="infidelity",
    title="Infidelity",
    summary=(
        "Mean squared difference between what the attributions foretell of taking away random sets of players and what the "
        "output does; the same with the attributions scaled as suits best; and the correlation of the two among sets of one "
        "size. `score` is that correlation in standard deviations of what random attributions have."
    ),
    of_output=True,
    params=(
        Param(
            name="samples",
            type="integer",
            default=192,
            unit="model evaluations",
            minimum=3,
            maximum=1_000_000,
            help="Perturbations: a quarter, half or three quarters of the players take the baseline's value, as many of each.",
        ),
    ),
    reference="Yeh, Hsieh, Suggala, Inouye & Ravikumar, On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019",
)
PLENTY = 2.5
"""A perfect correlation scores this at least: of few players a random one has a standard deviation of 1 / sqrt(players - 1)."""
FEW = "A single feature: there is nothing to perturb beside it."
FLAT_NOTE = "Sets of one size all do the same here: no attribution could be told from another."
BLIND = "The attributions foretell the same of all sets of one size, and the output does not do the same."


def check(subject: Subject, params: Params) -> Checking:
    """Check one explanation."""
    if subject.game.players < 2:
        return Finding({}, FEW)
    sets = perturbations(subject.game.players, params["samples"], subject.game.seed)
    (values,) = yield [Values(sets.present)]
    foretold, lost = sets.absent @ subject.contributions, subject.game.instance_output - values
    scale = float(foretold @ lost / (foretold @ foretold)) if foretold.any() else 0.0
    figures = {
        "infidelity": float(np.mean((foretold - lost) ** 2)),
        "scaled_infidelity": float(np.mean((scale * foretold - lost) ** 2)),
        "scale": scale,
        "perturbations": len(values),
    }
    told, seen = _within(foretold, sets.sizes), _within(lost, sets.sizes)
    if _flat(seen, lost):
        return Finding({**figures, "correlation": None, "score": None}, FLAT_NOTE)
    blind = _flat(told, foretold)
    found = 0.0 if blind else correlation(told, seen) or 0.0
    score = found * max(np.sqrt(subject.game.players - 1), PLENTY)
    return Finding({**figures, "correlation": found, "score": float(score)}, BLIND if blind else None)


def cost(players: int, params: Params, run: int) -> int:
    """Evaluations one explanation may cost, where a run of the method costs `run`."""
    return int(params["samples"])


def _within(values: Floats, sizes: np.ndarray) -> Floats:
    """Values less the mean of their size."""
    centred = values.copy()
    for size in np.unique(sizes):
        centred[sizes == size] -= values[sizes == size].mean()
    return centred


def _flat(centred: Floats, values: Floats) -> bool:
    """Whether nothing but rounding is left."""
    return bool(np.abs(centred).max() <= max(FLAT, 1e-6) * np.abs(values).max())
