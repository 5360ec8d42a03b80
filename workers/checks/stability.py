"""Stability: does a random method say the same under other seeds?"""

from __future__ import annotations

import numpy as np

from explainery.contract.catalogue import CheckSpec, Param
from workers.draws import generator
from workers.game import Params
from workers.ranks import rank_correlation
from workers.recheck import Again, Checking, Finding, Rerun, Subject

SPEC = CheckSpec(
    name="stability",
    title="Stability over seeds",
    summary=(
        "The method is run under other seeds: the smallest rank correlation with the original map, and the largest change of "
        "an attribution as a share of the largest attribution. A method that is not random costs nothing."
    ),
    random_only=True,
    params=(
        Param(
            name="runs",
            type="integer",
            default=4,
            unit="runs of the method",
            minimum=1,
            maximum=1000,
            help="Other seeds; each costs what the explanation itself did.",
        ),
    ),
    reference="explainery's own",
)
SAME = "The method gives the same answer under every seed: nothing was run."
MOST_SEED = 2**63


def check(subject: Subject, params: Params) -> Checking:
    """Check one explanation."""
    if not subject.random:
        return Finding({"runs": 0, "rank_correlation": 1.0, "largest_change": 0.0}, SAME)
    seeds = generator(subject.game.seed, "checks/seeds").integers(0, MOST_SEED, (params["runs"],))
    answers: list[Rerun] = yield [Again(seed=int(seed)) for seed in seeds]
    found = [rank_correlation(subject.map, answer.map) for answer in answers]
    largest = float(np.abs(subject.map).max(initial=0.0))
    change = max(float(np.abs(answer.map - subject.map).max(initial=0.0)) for answer in answers)
    figures = {
        "runs": len(answers),
        "rank_correlation": min((each for each in found if each is not None), default=None),
        "largest_change": change / largest if largest else None,
    }
    return Finding(figures)


def cost(players: int, params: Params, run: int) -> int:
    """Evaluations one explanation may cost, where a run of the method costs `run`."""
    return int(params["runs"]) * run
