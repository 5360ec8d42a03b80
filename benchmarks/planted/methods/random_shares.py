"""Random attributions that add up, so that no completeness gap gives them away."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from explainery.contract.catalogue import MethodSpec
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.questions import Solution, Values

SPEC = MethodSpec(
    name="random_shares", title="Random shares", summary="s", asks=("values",), completeness=True, random=True, reference="none"
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row, badly."""
    yield Values(np.zeros((1, game.players), dtype=bool))
    row = hashlib.blake2b(struct.pack("d", game.instance_output)).hexdigest()
    drawn = generator(game.seed, f"planted/{row}").standard_normal(game.players) * abs(game.difference)
    return Solution(per_player=drawn - drawn.mean() + game.difference / game.players)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
