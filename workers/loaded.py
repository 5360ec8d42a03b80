"""A model that is ready to be asked, and what its card names beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from explainery.contract.job import ModelRef
from explainery.contract.model_card import ModelCard
from workers.features import Cuts
from workers.frame import KnownBaselines
from workers.plugins import Model
from workers.text.reader import Reader


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model ready to be asked. `sample`, `baseline`: arrays by input name, as the card names them; `readers`: its texts'."""

    ref: ModelRef
    card: ModelCard
    runtime: str
    model: Model
    sample: Mapping[str, NDArray[Any]]
    baseline: Mapping[str, NDArray[Any]]
    readers: Mapping[str, Reader] = field(default_factory=dict)
    embedding: str | None = None
    """The layer where gradients of a text are taken; None where there is no text, or no such layer."""
    known_baselines: KnownBaselines = field(default_factory=KnownBaselines)
    cuts: Cuts = field(default_factory=Cuts)
