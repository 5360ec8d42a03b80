"""A row's attributions -> its principal reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.job import JobSpec
from explainery.contract.model_card import ModelCard
from explainery.contract.reasons import Codes, Contribution, Reason, principal_reasons
from explainery.contract.result import Attribution

Arrays = Mapping[str, NDArray[Any]]


def reasons_of(
    job: JobSpec,
    card: ModelCard,
    attributions: Sequence[Attribution],
    shares: Arrays,
    errors: Arrays,
    wholes: Mapping[str, float],
    *,
    random: bool,
) -> tuple[Reason, ...] | None:
    """The reasons that a job asks for; None where it asks for none.

    `wholes`: input -> the standard error of all that it contributes together. `random`: whether the method samples.
    """
    if job.reasons is None:
        return None
    found = [
        each for described in attributions for each in _contributions(card, described, shares, errors, wholes, random=random)
    ]
    return principal_reasons(found, Codes(card.reasons, _groups(job, card)), job.reasons)


def _contributions(
    card: ModelCard, described: Attribution, shares: Arrays, errors: Arrays, wholes: Mapping[str, float], *, random: bool
) -> Iterator[Contribution]:
    """Of a table each feature or group, of another input the whole."""
    values = shares[described.input].astype(np.float64).reshape(-1)
    error = errors.get(described.input)
    spread = None if error is None else error.astype(np.float64).reshape(-1)
    unknown = None if random else 0.0
    if described.features is None or card.input(described.input).modality != "tabular":
        yield Contribution(described.input, float(values.sum()), wholes.get(described.input, unknown))
        return
    for place, name in enumerate(described.features):
        yield Contribution(name, float(values[place]), unknown if spread is None else float(spread[place]))


def _groups(job: JobSpec, card: ModelCard) -> dict[str, Sequence[str]]:
    """Groups of the card, and of the request."""
    groups: dict[str, Sequence[str]] = {}
    for spec in card.inputs:
        groups |= spec.groups
    asked = job.params.get("features")
    return groups | (asked.get("groups", {}) if isinstance(asked, dict) else {})
