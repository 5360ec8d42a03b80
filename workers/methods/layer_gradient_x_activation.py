"""Layer gradient times activation: first-order contribution of each element of a layer's output."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER
from workers.questions import Internals, Probe, Solution

SPEC = MethodSpec(
    name="layer_gradient_x_activation",
    title="Layer gradient x activation",
    summary="What each element of a layer's output contributes, to first order: its gradient times itself.",
    asks=("internals",),
    params=(LAYER,),
    layer="any",
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Kokhlikyan et al., Captum, arXiv 2009.07896, 2020 (LayerGradientXActivation)",
    about="layer",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: dS/dy * y at the layer's output y."""
    name = game.layers[0].path
    answer = yield Internals(Probe((name,), activations=True, gradients=True))
    return Solution(per_layer={name: answer.activations[name] * answer.gradients[name]})


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
