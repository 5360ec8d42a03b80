"""Attention rollout: attention multiplied through the layers, the residual paths counted as looking at oneself.

R = A'_L ... A'_2 A'_1,  A' = (A + I) / 2, its rows brought to sum 1,  A fused over the heads
"""

from __future__ import annotations

from typing import Any

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.questions import Floats, Internals, Probe
from workers.tokens import QUERY, followed, self_attention

SPEC = MethodSpec(
    name="attention_rollout",
    title="Attention rollout",
    summary="How attention mixes the tokens from the first layer to the last, whatever the target.",
    asks=("internals",),
    params=(
        QUERY,
        Param(
            name="heads", type="string", default="mean", choices=("mean", "max", "min"), help="How a layer's heads are fused."
        ),
    ),
    layer="attention",
    all_layers=True,
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Abnar & Zuidema, Quantifying Attention Flow in Transformers, ACL 2020",
)
FUSED: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at all layers, multiplied in their order."""
    layers = self_attention(game.layers)
    answer = yield Internals(Probe(tuple(layer.path for layer in layers), of="attention", activations=True))
    rolled: Floats | None = None
    for layer in layers:
        mixed = _mixed(FUSED[params["heads"]](answer.activations[layer.path], axis=0))
        rolled = mixed if rolled is None else mixed @ rolled
    return followed(game, np.zeros((1, 1)) if rolled is None else rolled, params["query"])


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1


def _mixed(attention: Floats) -> Floats:
    mixed = (attention + np.eye(len(attention))) / 2
    return np.asarray(mixed / mixed.sum(axis=-1, keepdims=True))
