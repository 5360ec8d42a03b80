"""How far explanations of the same rows agree: rank correlation, overlap of what is largest, signs, and the worst places.

Small arithmetic on results that exist already, bounded by `MOST_NUMBERS`; no model is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from explainery.contract.errors import PayloadTooLarge
from explainery.contract.result import Explanation, Result, Target
from explainery.contract.tensors import own_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_NUMBERS = 2**22
"""Attributions of one result that are compared: half a second's work."""
SETTLED = 1e-6
"""Values that differ by less than this share of the largest are as large as each other: models compute in single precision."""
WORST = 5
"""Places of the largest disagreement that are told for each pair."""


@dataclass(frozen=True, eq=False)
class Explained:
    """One variant's answer."""

    label: str
    job: str
    result: Result
    arrays: Mapping[str, NDArray[Any]]


def comparison_of(variants: Sequence[Explained], top: int) -> dict[str, Any]:
    """What is told of a comparison: the variants with their quality, and every pair. Raises PayloadTooLarge."""
    flat = [_rows(each) for each in variants]
    pairs = [_pair(variants, flat, first, second, top) for first, second in combinations(range(len(variants)), 2)]
    return {"variants": [_quality(each) for each in variants], "pairs": pairs}


def _rows(each: Explained) -> list[Floats]:
    """Each row's attributions, all inputs one after another."""
    size = sum(array.size for name, array in each.arrays.items() if name.startswith("attributions."))
    if size > MOST_NUMBERS:
        raise PayloadTooLarge(f"Results of more than {MOST_NUMBERS} attributions are not compared.", MOST_NUMBERS, "numbers")
    return [
        np.concatenate(
            [
                own_part(each.arrays[f"attributions.{a.input}"][row], a.shape).astype(np.float64).reshape(-1)
                for a in explanation.attributions
            ]
            or [np.zeros(0)]
        )
        for row, explanation in enumerate(each.result.explanations)
    ]


def _pair(variants: Sequence[Explained], flat: list[list[Floats]], first: int, second: int, top: int) -> dict[str, Any]:
    one, other = variants[first], variants[second]
    named = {"variants": [first, second], "labels": [one.label, other.label]}
    kinds = [[(a.input, a.shape, a.features) for a in e.attributions] for e in one.result.explanations]
    if kinds != [[(a.input, a.shape, a.features) for a in e.attributions] for e in other.result.explanations]:
        return {**named, "comparable": False, "reason": "They attribute to different things: other features, groups or layers."}
    if not any(len(row) for row in flat[first]):
        return {**named, "comparable": False, "reason": "They have no attributions."}
    rows = [agreement(a, b, top) for a, b in zip(flat[first], flat[second], strict=True)]
    means = {name: mean([row[name] for row in rows]) for name in ("rank_correlation", "top_overlap", "sign_agreement")}
    pairs = list(zip(flat[first], flat[second], strict=True))
    found = {"mean": means, "rows": rows, "worst": _worst(one, pairs), "other_targets": _other_targets(one, other)}
    return {**named, "comparable": True, "reason": None, **found}


def _other_targets(one: Explained, other: Explained) -> list[int]:
    """The rows of which the two explain different outputs: "predicted" is what each model predicts."""
    pairs = zip(one.result.explanations, other.result.explanations, strict=True)
    return [row for row, (a, b) in enumerate(pairs) if not _same_target(a.target, b.target)]


def _same_target(one: Target, other: Target) -> bool:
    """Whether two targets mean the same: by their labels where both have one, else by their numbers."""
    labels = one.label, other.label
    return one.index == other.index if None in labels else labels[0] == labels[1]


def agreement(one: Floats, other: Floats, top: int) -> dict[str, float | None]:
    """Of one row: Spearman's correlation (None where one is flat), the overlap of what is largest, the share of equal signs.

    What differs by rounding alone is a tie, and what is zero but for rounding has no sign.
    """
    one, other = _settled(one), _settled(other)
    return {
        "rank_correlation": correlation(ranks(one), ranks(other)),
        "top_overlap": _overlap(np.abs(one), np.abs(other), top),
        "sign_agreement": float(np.mean(np.sign(one) == np.sign(other))) if len(one) else None,
    }


def _settled(values: Floats) -> Floats:
    """The values in steps of `SETTLED` of the largest."""
    largest = float(np.abs(values).max(initial=0.0))
    return np.asarray(np.rint(values / (SETTLED * largest))) if largest > 0 else np.zeros(values.shape)


def _overlap(one: Floats, other: Floats, top: int) -> float | None:
    """The share of the `top` largest sizes that both have; None where nothing is larger than zero.

    Zeros are never among the largest, and of those that are as large as the last of them each has its part of a place.
    """
    count = min(top, max(int(np.count_nonzero(one)), int(np.count_nonzero(other))))
    if not count:
        return None
    return float(np.minimum(_places(one, count), _places(other, count)).sum() / count)


def _places(sizes: Floats, count: int) -> Floats:
    """How much of one of the first `count` places each size has, 0 to 1."""
    last = float(np.sort(sizes)[-count])
    if last == 0:
        return np.asarray(sizes > 0).astype(np.float64)
    sure, tied = sizes > last, sizes == last
    return np.asarray(np.where(tied, (count - sure.sum()) / tied.sum(), sure))


def ranks(values: Floats) -> Floats:
    """Ranks from 0; equals share their mean."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[places])


def correlation(one: Floats, other: Floats) -> float | None:
    """Pearson's correlation; None where one of the two is flat."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / size, -1.0, 1.0)) if size > 0 else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _worst(one: Explained, rows: list[tuple[Floats, Floats]]) -> list[dict[str, Any]]:
    """Where the shares of a row's attributions (of the sum of their sizes) are farthest apart."""
    shares = [tuple(each / max(float(np.abs(each).sum()), 1e-300) for each in pair) for pair in rows]
    gaps = [np.abs(a - b) for a, b in shares]
    places = ((row, int(place)) for row, gap in enumerate(gaps) for place in np.argsort(-gap, kind="stable")[:WORST])
    found = sorted(((float(gaps[row][place]), row, place) for row, place in places), key=lambda each: (-each[0], *each[1:]))
    return [
        {
            "row": row,
            **place_of(one.result.explanations[row], place),
            "values": [float(each[place]) for each in rows[row]],
            "shares": [float(each[place]) for each in shares[row]],
        }
        for gap, row, place in found[:WORST]
        if gap > 0
    ]


def place_of(explanation: Explanation, place: int) -> dict[str, Any]:
    """An element by its input, its index there, and its name where it has one."""
    for each in explanation.attributions:
        size = int(np.prod(each.shape, dtype=np.int64))
        if place < size:
            index = [int(axis) for axis in np.unravel_index(place, each.shape)]
            named = each.features is not None and len(each.features) == each.shape[-1]
            name = each.features[index[-1]] if named and each.features else None
            return {"input": each.input, "index": index, "feature": name}
        place -= size
    raise IndexError(place)


def _quality(each: Explained) -> dict[str, Any]:
    rows = [explanation.quality for explanation in each.result.explanations]
    figures = ("completeness_gap", "approximation_error", "standard_error")
    verdicts = [row.verdict for row in rows]
    return {
        "label": each.label,
        "job": each.job,
        "model": each.result.model.model_dump(),
        "method": each.result.method,
        "params": each.result.params,
        "value_function": each.result.value_function,
        "verdicts": {name: verdicts.count(name) for name in ("pass", "warn", "fail")},
        "mean": {name: mean([getattr(row, name) for row in rows]) for name in figures},
        "quality": [row.model_dump(mode="json") for row in rows],
        "cost": each.result.cost.model_dump(),
    }
