"""DeepLIFT: what each input element's difference from the baseline adds to the output's difference, in one pass."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Internals, Probe, Rules, Solution

SPEC = MethodSpec(
    name="deep_lift",
    title="DeepLIFT (Rescale rule)",
    summary=(
        "Differences from the baseline are traced through every layer: one pass, and the attributions sum to the output's "
        "change. Also through attention, normalisations and recurrent layers; what has no rule is refused by name."
    ),
    asks=("internals",),
    smooth_inputs=True,
    pairs=True,
    calls=Calls(gradients="1", shows="both"),
    completeness=True,
    reference="Shrikumar, Greenside & Kundaje, Learning Important Features Through Activation Differences, ICML 2017",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: multipliers times x - b."""
    answer = yield Internals(Probe(inputs=True, rules=Rules("deep_lift", paired=True)), factor="difference")
    return Solution(per_element=answer.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
