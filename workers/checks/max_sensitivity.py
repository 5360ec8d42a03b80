"""Max-sensitivity: how much the explanation changes when the instance hardly does.

    SENS_MAX(phi, f, x, r) = max over |y - x| <= r of ||phi(f, y) - phi(f, x)||

The maximum is over random y in a box: each element moves by at most `radius` times the range of its input; the columns
of a table, which have ranges of their own, by at most `radius` times their way from the baseline.
"""

from __future__ import annotations

import numpy as np

from explainery.contract.catalogue import CheckSpec, Param
from workers.draws import generator
from workers.game import Params
from workers.recheck import Again, Checking, Finding, Rerun, Subject

SPEC = CheckSpec(
    name="max_sensitivity",
    title="Max-sensitivity",
    summary=(
        "The largest change of the attributions (Euclidean norm) when the method is run again at instances moved by a little, "
        "and `relative`, the same as a share of the attributions' own norm."
    ),
    needs="smooth",
    params=(
        Param(
            name="runs",
            type="integer",
            default=8,
            unit="runs of the method",
            minimum=1,
            maximum=1000,
            help="Moved instances; each costs what the explanation itself did.",
        ),
        Param(
            name="radius",
            type="number",
            default=0.02,
            unit="share of the input's range",
            minimum=1e-6,
            maximum=1,
            help="How far an element moves at most.",
        ),
    ),
    reference="Yeh, Hsieh, Suggala, Inouye & Ravikumar, On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019",
)


def check(subject: Subject, params: Params) -> Checking:
    """Check one explanation."""
    rng = generator(subject.game.seed, "checks/moves")
    moved = [
        {name: rng.uniform(-params["radius"], params["radius"], reach.shape) * reach for name, reach in subject.reach.items()}
        for _ in range(params["runs"])
    ]
    answers: list[Rerun] = yield [Again(moves=moves) for moves in moved]
    changes = [float(np.linalg.norm(answer.map - subject.map)) for answer in answers]
    own = float(np.linalg.norm(subject.map))
    return Finding({"max_sensitivity": max(changes), "relative": max(changes) / own if own else None, "runs": len(changes)})


def cost(players: int, params: Params, run: int) -> int:
    """Evaluations one explanation may cost, where a run of the method costs `run`."""
    return int(params["runs"]) * run
