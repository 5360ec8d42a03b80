"""Attention gradient: attention that speaks for the target, followed through the layers.

R = I;  R <- R + mean over heads of ReLU(dS/dA * A) @ R,  layer by layer
"""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Internals, Probe
from workers.tokens import QUERY, followed, self_attention

SPEC = MethodSpec(
    name="attention_gradient",
    title="Attention gradient (transformer relevance)",
    summary="Which tokens speak for the target: attention weighted by its gradients, followed through all layers.",
    asks=("internals",),
    params=(QUERY,),
    layer="attention",
    all_layers=True,
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Chefer, Gur & Wolf, Generic Attention-model Explainability, ICCV 2021 (self-attention)",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at all layers with gradients, multiplied in their order."""
    layers = self_attention(game.layers)
    probe = Probe(tuple(layer.path for layer in layers), of="attention", activations=True, gradients=True)
    answer = yield Internals(probe)
    relevance = np.eye(answer.activations[layers[0].path].shape[-1])
    for layer in layers:
        weighted = np.maximum(answer.gradients[layer.path] * answer.activations[layer.path], 0).mean(axis=0)
        relevance = relevance + weighted @ relevance
    return followed(game, relevance - np.eye(len(relevance)), params["query"])


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
