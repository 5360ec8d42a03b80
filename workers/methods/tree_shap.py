"""TreeSHAP: the exact Shapley values of a sum of trees, read off the trees. The model itself is not called."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.questions import Solution, Trees

SPEC = MethodSpec(
    name="tree_shap",
    title="TreeSHAP (interventional)",
    summary=(
        "Exact Shapley values of random forests, gradient boosting and other sums of trees in ONNX files, for any number of "
        "features, against a baseline or averaged over a background set."
    ),
    asks=("trees",),
    params=(FEATURES,),
    calls=Calls(values="1"),
    completeness=True,
    reference="Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the answer is the attribution."""
    phi = yield Trees()
    return Solution(per_player=np.asarray(phi), error=0.0, converged=True)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost: ways down the trees, one per baseline."""
    return 1
