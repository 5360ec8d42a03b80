"""TreeSHAP: the exact Shapley values of a sum of trees, read off the trees. The model itself is not called."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.links import MARGIN, OUTPUT
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.questions import Solution, TreeAnswer, Trees

SPEC = MethodSpec(
    name="tree_shap",
    title="TreeSHAP (interventional)",
    summary=(
        "Exact Shapley values of random forests, gradient boosting and other sums of trees in ONNX files, for any number of "
        "features, against a baseline or averaged over a background set."
    ),
    asks=("trees",),
    params=(
        Param(
            name="link",
            type="string",
            default=OUTPUT,
            choices=(OUTPUT, MARGIN),
            help=(
                "What is explained where a logistic or softmax function follows the trees: output is refused there; margin is "
                "what they sum up to before it (log-odds). The result says so in target.link, and instance_output and "
                "baseline_output are margins then."
            ),
        ),
        FEATURES,
    ),
    calls=Calls(values="1"),
    completeness=True,
    reference="Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the answer is the attribution."""
    found: TreeAnswer = yield Trees(margin=params["link"] == MARGIN)
    notes = () if found.margin is None else (_NOTE.format(found.margin.link),)
    return Solution(per_player=found.per_player, error=0.0, converged=True, margin=found.margin, notes=notes)


_NOTE = "Explained is the margin that the trees sum up to, and not the output, which a {} function makes of it."


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost: ways down the trees, one per baseline."""
    return 1
