"""DeepLIFT SHAP: DeepLIFT averaged over a background set, an approximation of its Shapley values."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Internals, Probe, Rules, Solution

SPEC = MethodSpec(
    name="deep_lift_shap",
    title="DeepLIFT SHAP",
    summary=(
        "DeepLIFT averaged over the rows of a background set: shares of f(x) minus the mean output over the set. "
        "With one baseline it is DeepLIFT."
    ),
    asks=("internals",),
    smooth_inputs=True,
    pairs=True,
    calls=Calls(gradients="1", shows="both"),
    completeness=True,
    reference="Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: multipliers times x - b, averaged over the baselines b."""
    answer = yield Internals(Probe(inputs=True, rules=Rules("deep_lift", paired=True)), factor="difference")
    return Solution(per_element=answer.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
