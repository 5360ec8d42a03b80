"""How values, features and outputs are named in the demo's tables and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import InputSpec, ModelCard
from explainery.figures.places import place_name


def feature(spec: InputSpec, element: int) -> str:
    """The name of one element of a row: its feature, or its place in the picture."""
    if spec.features:
        return spec.features[element]
    place = [int(part) for part in np.unravel_index(element, spec.row_shape)]
    return place_name(spec.name, place, spec.row_shape, spec.layout)


def value(spec: InputSpec, row: NDArray[Any], element: int) -> str:
    """The value of one element with its unit, or the label it stands for."""
    number = float(row.reshape(-1)[element])
    name = spec.features[element] if spec.features else ""
    if name in spec.categories:
        return spec.categories[name][round(number)]
    unit = spec.units[element] if spec.units else ""
    return f"{number:.4g} {unit}".strip()


def output(card: ModelCard, number: float) -> str:
    """An output with its unit, or as what it is."""
    spec = card.score_output
    if spec.kind == "probabilities":
        return f"{number:.1%}"
    return f"{number:.4g} {spec.unit or ''}".strip()


def amount(card: ModelCard, number: float) -> str:
    """A signed share of an output, without its unit: percentage points of a probability, else the output's own scale."""
    if card.score_output.kind == "probabilities":
        return f"{100 * number:+.1f} pp"
    return f"{number:+.3g}"


def quantity(card: ModelCard) -> str:
    """What one number of the explained output is."""
    spec = card.score_output
    return {"logits": "logit", "probabilities": "probability"}.get(spec.kind, spec.name)
