"""Model randomisation: does the map change when the model's weights are shuffled, from the top layer down?

A map that stays the same does not depend on what the model has learned.
"""

from __future__ import annotations

from explainery.contract.catalogue import CheckSpec, Param
from workers.game import Params
from workers.ranks import rank_correlation
from workers.recheck import Again, Checking, Finding, Rerun, Shuffle, Subject

SPEC = CheckSpec(
    name="randomisation",
    title="Model randomisation",
    summary=(
        "The method is run on models with more and more layers' weights shuffled, from the top: Spearman's rank correlation of "
        "each map with the original. `correlation` is that of the last, where all weights are shuffled."
    ),
    needs="weights",
    params=(
        Param(
            name="runs",
            type="integer",
            default=3,
            unit="runs of the method",
            minimum=1,
            maximum=100,
            help="Models, each with an equal share more of the layers shuffled, the last with all; each costs an explanation.",
        ),
    ),
    reference="Adebayo, Gilmer, Muelly, Goodfellow, Hardt & Kim, Sanity Checks for Saliency Maps, NeurIPS 2018",
)
NOTHING = "The model has no weights that could be shuffled."
ALIKE = "The maps are constant: there is nothing to compare."


def check(subject: Subject, params: Params) -> Checking:
    """Check one explanation."""
    runs, seed = params["runs"], subject.game.seed
    answers: list[Rerun] = yield [Again(shuffle=Shuffle((run + 1) / runs, seed)) for run in range(runs)]
    if not answers[-1].shuffled:
        return Finding({"shuffled": 0, "correlations": [], "correlation": None}, NOTHING)
    found = [rank_correlation(subject.map, answer.map) for answer in answers]
    figures = {"shuffled": [len(answer.shuffled) for answer in answers], "correlations": found, "correlation": found[-1]}
    return Finding(figures, ALIKE if found[-1] is None else None)


def cost(players: int, params: Params, run: int) -> int:
    """Evaluations one explanation may cost, where a run of the method costs `run`."""
    return int(params["runs"]) * run
