"""Feature ablation with its sign turned round."""

from __future__ import annotations

from explainery.contract.catalogue import MethodSpec
from workers.coalitions import all_but_one
from workers.game import Explaining, Game, Params
from workers.questions import Solution, Values

SPEC = MethodSpec(name="wrong_sign", title="Wrong sign", summary="s", asks=("values",), completeness=False, reference="none")


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row, badly."""
    without = yield Values(all_but_one(game.players))
    return Solution(per_player=without - game.instance_output)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return players
