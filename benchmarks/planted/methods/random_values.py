"""Attributions that have nothing to do with the model: normal numbers, others for every row."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from explainery.contract.catalogue import MethodSpec
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.questions import Solution, Values

SPEC = MethodSpec(
    name="random_values",
    title="Random values",
    summary="s",
    asks=("values",),
    completeness=False,
    random=True,
    reference="none",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row, badly."""
    yield Values(np.zeros((1, game.players), dtype=bool))
    row = hashlib.blake2b(struct.pack("d", game.instance_output)).hexdigest()
    return Solution(per_player=generator(game.seed, f"planted/{row}").standard_normal(game.players))


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
