"""Which rule a layer gets, by where it is: sets of rules for layer-wise relevance propagation, under names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Composite:
    """Rules of dense layers, of convolutions, and of the first layer (None: that of its kind)."""

    dense: str
    conv: str
    first: str | None = None


COMPOSITES: Mapping[str, Composite] = {
    "epsilon": Composite("epsilon", "epsilon"),
    "zero": Composite("zero", "zero"),
    "gamma": Composite("gamma", "gamma"),
    "alpha_beta": Composite("alpha_beta", "alpha_beta"),
    "epsilon_plus": Composite("epsilon", "plus"),
    "epsilon_plus_flat": Composite("epsilon", "plus", "flat"),
    "epsilon_gamma_box": Composite("epsilon", "gamma", "box"),
    "epsilon_alpha2_beta1": Composite("epsilon", "alpha2_beta1"),
    "epsilon_alpha2_beta1_flat": Composite("epsilon", "alpha2_beta1", "flat"),
}
