"""Whether a job can have reason codes: what would say nothing is refused at the door."""

from __future__ import annotations

from explainery.contract.catalogue import MethodSpec
from explainery.contract.errors import MethodUnavailable
from explainery.contract.model_card import ModelCard
from explainery.contract.reasons import ReasonsAsked
from service.faults import refusal


def check_reasons(asked: ReasonsAsked | None, method: MethodSpec, card: ModelCard) -> None:
    """Raise MethodUnavailable where the method gives no shares of the output by feature, or the model has no named features."""
    if asked is None:
        return
    if method.level == "job" or method.layer is not None or not method.contributes:
        why = f"{method.name} does not say what each feature contributes to the output"
        raise refusal(MethodUnavailable, "reasons", f"{why}; take one that does, such as kernel_shap.")
    if not any(spec.modality == "tabular" and spec.features for spec in card.sent):
        raise refusal(MethodUnavailable, "reasons", "Reasons are given by feature, and the model's card names no features.")
