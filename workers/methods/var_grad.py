"""VarGrad: the variance of the gradient over noisy copies of the instance."""

from __future__ import annotations

from workers.game import Explaining, Game, Params
from workers.noisy import look, of_noise
from workers.questions import Solution

SPEC = of_noise(
    name="var_grad",
    title="VarGrad",
    summary="How much the gradient varies among copies of the instance with Gaussian noise: where the model bends.",
    reference="Adebayo, Gilmer, Goodfellow & Kim, Local Explanation Methods for Deep Neural Networks, ICLR workshop 2018",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the variance of df/dx at x + noise, over the copies that were drawn."""
    seen = yield from look(game, params)
    return Solution(per_element=seen.variances)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"])
