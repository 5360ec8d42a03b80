"""Layer activation: what a layer puts out for the instance."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER
from workers.questions import Internals, Probe, Solution

SPEC = MethodSpec(
    name="layer_activation",
    title="Layer activation",
    summary="What a layer puts out for the instance, whatever the target.",
    asks=("internals",),
    params=(LAYER,),
    layer="any",
    calls=Calls(gradients="1", shows="instance"),
    contributes=False,
    completeness=False,
    reference="Kokhlikyan et al., Captum, arXiv 2009.07896, 2020 (LayerActivation)",
    about="layer",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    answer = yield Internals(Probe((game.layers[0].path,), activations=True))
    return Solution(per_layer=answer.activations)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
