"""A row of a table as an object: feature names to values, labels of categories among them."""

from __future__ import annotations

from typing import Any

from explainery.contract.errors import InvalidInput
from explainery.contract.model_card import InputSpec
from service.faults import fault


def has_names(spec: InputSpec) -> bool:
    """Say whether a row of this input can be given by feature name."""
    return spec.modality == "tabular" and spec.features is not None


def by_feature(spec: InputSpec, row: dict[str, Any], loc: str) -> list[Any]:
    """The row's values in the card's order. Raises InvalidInput on a missing or unknown feature or label."""
    features = spec.features or ()
    missing = [feature for feature in features if feature not in row]
    if missing:
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        raise fault(InvalidInput, loc, f"lacks the features: {', '.join(missing[:8])}{more}")
    if len(row) > len(features):
        raise fault(InvalidInput, loc, f"names {len(row) - len(features)} features that input {spec.name} does not have")
    return [_value(spec, feature, row[feature], f"{loc}.{feature}") for feature in features]


def _value(spec: InputSpec, feature: str, value: Any, loc: str) -> Any:
    labels = spec.categories.get(feature)
    if labels is None:
        return value
    if isinstance(value, str) and value in labels:
        return labels.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(labels):
        return value
    raise fault(InvalidInput, loc, f"must be one of {', '.join(labels)}, or the index of one")
