"""Attention weights: who looks at whom, per layer and head."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import EVERY_LAYER
from workers.questions import Internals, Map, Probe, Solution

SPEC = MethodSpec(
    name="attention_weights",
    title="Attention weights",
    summary="Who looks at whom: the attention weights of each layer and head. They say where a model looks, not what decides.",
    asks=("internals",),
    params=(EVERY_LAYER,),
    layer="attention",
    all_layers=True,
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Vaswani et al., Attention Is All You Need, NeurIPS 2017",
    about="maps",
)
AXES = ("head", "query", "key")


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at all layers that attend."""
    answer = yield Internals(Probe(tuple(layer.path for layer in game.layers), of="attention", activations=True))
    maps = []
    for layer in game.layers:
        weights = answer.activations[layer.path]
        maps.append(Map("attention", weights, ("window",) * (weights.ndim - len(AXES)) + AXES, layer.path))
    return Solution(maps=tuple(maps))


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
