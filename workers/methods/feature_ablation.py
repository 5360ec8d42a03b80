"""Feature ablation: how much the output loses when one player is replaced by the baseline."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.coalitions import all_but_one
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.questions import Solution, Values

SPEC = MethodSpec(
    name="feature_ablation",
    title="Feature ablation",
    summary="The drop of the output when one feature (or group) takes its baseline value and all others stay.",
    asks=("values",),
    params=(FEATURES,),
    calls=Calls(values="players"),
    completeness=False,
    reference="Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014; Captum, FeatureAblation",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: phi_i = v(N) - v(N without i)."""
    without = yield Values(all_but_one(game.players))
    return Solution(per_player=game.instance_output - without)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return players
