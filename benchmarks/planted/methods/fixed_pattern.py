"""A map that looks at nothing: the same whatever the model has learned."""

from __future__ import annotations

import numpy as np

from explainery.contract.catalogue import MethodSpec
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.questions import Solution, Values

SPEC = MethodSpec(
    name="fixed_pattern", title="Fixed pattern", summary="s", asks=("values",), completeness=False, reference="none"
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row, badly."""
    yield Values(np.zeros((1, game.players), dtype=bool))
    return Solution(per_player=generator(0, "planted/pattern").standard_normal(game.players))


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
