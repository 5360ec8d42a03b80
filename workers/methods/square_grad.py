"""SquareGrad (SmoothGrad-Squared): the mean square of the gradient over noisy copies of the instance."""

from __future__ import annotations

from workers.game import Explaining, Game, Params
from workers.noisy import look, of_noise
from workers.questions import Solution

SPEC = of_noise(
    name="square_grad",
    title="SquareGrad (SmoothGrad-Squared)",
    summary="The squared gradient averaged over copies of the instance with Gaussian noise: how sensitive, without a sign.",
    reference="Hooker, Erhan, Kindermans & Kim, A Benchmark for Interpretability Methods in Deep Neural Networks, NeurIPS 2019",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the mean of (df/dx)^2 at x + noise, which is their variance and the square of their mean."""
    seen = yield from look(game, params)
    return Solution(per_element={name: seen.variances[name] + mean**2 for name, mean in seen.sums.items()})


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"])
