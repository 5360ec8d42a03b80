"""From which figure on an explanation warns or fails: the one table, per figure, with exceptions per method.

How the numbers were found: docs/quality.md, and `python -m benchmarks quality_verdicts`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from explainery.contract.result import Verdict

NEVER = math.inf
EVERY = "*"


@dataclass(frozen=True)
class Rule:
    """One line of the table. `falls`: whether small figures are the bad ones. `words`: the reason, with the figure in it."""

    figure: str
    warn: float
    fail: float
    words: str
    method: str = EVERY
    falls: bool = False

    def verdict(self, value: float) -> Verdict:
        """What a figure of this value means."""
        sign = -1 if self.falls else 1
        if sign * value >= sign * self.fail:
            return "fail"
        return "warn" if sign * value >= sign * self.warn else "pass"


GAP = "Attributions miss the output difference by {value:.1%}; raise max_steps or samples."
SAMPLING = "The standard errors are {value:.0%} of the attributions' range; raise samples, or group features."
UNEXPLAINED = "The linear model leaves {value:.0%} of the output's variance around the instance unexplained; read it with care."
UNCONVERGED = "The method did not converge within its budget; raise samples or max_steps."
SAME_OUTPUT = "Instance and baseline give the same output: there is no difference to attribute. Try another baseline."
CURVE = "{check}: the attributions' order is better than random ones by only {value:.1f} standard deviations."
KEPT = "Deletion: the attributions' order keeps {value:.0%} of the advantage over random orders that they promise."
CHANCE = "Infidelity: the attributions foretell perturbations hardly better than random ones ({value:.1f} standard deviations)."
INFIDELITY = "Infidelity: what the attributions foretell of a perturbation and what it does correlate by only {value:.2f}."
SENSITIVITY = "Max-sensitivity: moving the instance a little changes the attributions by {value:.0%} of their norm."
SHUFFLED = "Model randomisation: with all weights shuffled the map is much the same (rank correlation {value:.2f})."
SEEDS = "Stability over seeds: another seed gives another ranking (rank correlation {value:.2f}); raise samples."
CHANGE = "Stability over seeds: another seed changes an attribution by {value:.0%} of the largest; raise samples."

NEAR = (
    "saliency", "smoothgrad", "input_x_gradient", "guided_backprop", "deconvolution", "lrp", "occlusion", "feature_ablation",
)  # fmt: skip
"""Methods that look at the instance and what lies next to it, and promise nothing of the whole way to the baseline."""
HEATMAPS = (
    "grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam", "score_cam", "eigen_cam", "guided_grad_cam",
    "attention_rollout", "attention_gradient",
)  # fmt: skip
"""Methods that say where the model looks, and not what that adds."""
SIZES = ("sobol", "hsic", "var_grad", "square_grad")
"""Methods that say how much a feature matters, and not in which direction: their order may be the wrong way round."""
INDICES = ("sobol", "hsic")
"""Shares of variance and of dependence: their standard errors grow with themselves, and the order is known before the size."""

TABLE: tuple[Rule, ...] = (
    Rule("completeness_gap", 0.01, 0.1, GAP),
    Rule("same_output", 1, NEVER, SAME_OUTPUT),
    Rule("unconverged", 1, NEVER, UNCONVERGED),
    Rule("sampling_error", 0.1, 0.5, SAMPLING),
    *(Rule("sampling_error", 0.25, 1.0, SAMPLING, name) for name in INDICES),
    Rule("unexplained", 0.5, NEVER, UNEXPLAINED),
    Rule("deletion.score", 2.0, 1.7, CURVE.replace("{check}", "Deletion"), falls=True),
    Rule("deletion.kept", 0.5, 0.4, KEPT, falls=True),
    Rule("insertion.score", 0.5, -0.5, CURVE.replace("{check}", "Insertion"), falls=True),
    Rule("infidelity.score", 2.0, 1.7, CHANCE, falls=True),
    Rule("infidelity.correlation", 0.35, 0.3, INFIDELITY, falls=True),
    *(Rule("deletion.kept", 0.3, 0.15, KEPT, name, falls=True) for name in NEAR),
    *(Rule("infidelity.correlation", 0.25, 0.1, INFIDELITY, name, falls=True) for name in NEAR),
    *(Rule("deletion.score", 1.7, -2.0, CURVE.replace("{check}", "Deletion"), name, falls=True) for name in HEATMAPS),
    *(Rule("deletion.kept", 0.15, -NEVER, KEPT, name, falls=True) for name in HEATMAPS),
    *(Rule("insertion.score", 0.5, -2.0, CURVE.replace("{check}", "Insertion"), name, falls=True) for name in HEATMAPS),
    *(Rule("infidelity.score", 1.7, -2.0, CHANCE, name, falls=True) for name in HEATMAPS),
    *(Rule("infidelity.correlation", 0.1, -NEVER, INFIDELITY, name, falls=True) for name in HEATMAPS),
    *(Rule("deletion.score", 1.7, -NEVER, CURVE.replace("{check}", "Deletion"), name, falls=True) for name in SIZES),
    *(Rule("deletion.kept", 0.15, -NEVER, KEPT, name, falls=True) for name in SIZES),
    *(Rule("insertion.score", 0.5, -NEVER, CURVE.replace("{check}", "Insertion"), name, falls=True) for name in SIZES),
    *(Rule("infidelity.score", 1.7, -NEVER, CHANCE, name, falls=True) for name in SIZES),
    *(Rule("infidelity.correlation", 0.1, -NEVER, INFIDELITY, name, falls=True) for name in SIZES),
    Rule("max_sensitivity.relative", 0.6, 1.0, SENSITIVITY),
    Rule("randomisation.correlation", 0.6, 0.9, SHUFFLED),
    Rule("stability.rank_correlation", 0.6, 0.3, SEEDS, falls=True),
    Rule("stability.largest_change", 0.3, 1.0, CHANGE),
)
"""Figures are those of `quality`; a check's have its name before them."""

_BY_NAME = {(rule.figure, rule.method): rule for rule in TABLE}
ORDER: tuple[Verdict, ...] = ("pass", "warn", "fail")


def rule_of(figure: str, method: str) -> Rule | None:
    """The rule for a method's figure, its own before everybody's; None where a figure decides nothing."""
    return _BY_NAME.get((figure, method)) or _BY_NAME.get((figure, EVERY))


def judged(figure: str, value: float | None, method: str) -> tuple[Verdict, str | None]:
    """The verdict on one figure, and the reason in words where it is not "pass". A figure of None decides nothing."""
    rule = rule_of(figure, method)
    if rule is None or value is None:
        return "pass", None
    verdict = rule.verdict(value)
    return verdict, None if verdict == "pass" else rule.words.format(value=value)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of some verdicts; "pass" of none."""
    return max(verdicts, key=ORDER.index, default="pass")
