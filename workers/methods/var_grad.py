"""VarGrad: the variance of the gradient over noisy copies of the instance."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.noisy import NOISE_PARAMS, look
from workers.questions import Solution

SPEC = MethodSpec(
    name="var_grad",
    title="VarGrad",
    summary="How much the gradient varies among copies of the instance with Gaussian noise: where the model bends.",
    asks=("gradients",),
    params=NOISE_PARAMS,
    calls=Calls(gradients="samples"),
    contributes=False,
    completeness=False,
    random=True,
    one_baseline=True,
    reference="Adebayo, Gilmer, Goodfellow & Kim, Local Explanation Methods for Deep Neural Networks, ICLR workshop 2018",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the variance of df/dx at x + noise, over the copies that were drawn."""
    seen = yield from look(game, params)
    return Solution(per_element=seen.variances)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"])
