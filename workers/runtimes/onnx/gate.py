"""The parity gate: a translation is used for gradients only when its outputs are those of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from workers.runtimes.onnx.refusal import Unequal, Untranslatable
from workers.runtimes.onnx.session import Arrays, OnnxSession
from workers.runtimes.onnx.translated import Translated

TOLERANCE = 1e-4
"""Largest difference allowed, as a share of the largest output (or of 1 where outputs are smaller)."""
ROWS = 2
PERTURBATIONS = (0.05, 0.5)
"""Scales of noise, as shares of the spread of each input."""
GUESSES = (8, 32, 64, 224)
"""Lengths that are tried for axes that the card leaves open, where it has no sample."""


def parity(card: ModelCard, session: OnnxSession, translated: Translated, sample: Arrays, baseline: Arrays) -> float:
    """The largest difference of outputs on the card's sample, its baseline and seeded noise around them.

    In units of max(1, largest output). Raises Unequal when it is beyond TOLERANCE, Untranslatable when nothing could be
    compared or there is nothing to differentiate.
    """
    worst = None
    for rows in probes(card, session, sample, baseline):
        if worst is None and not translated.has_gradient(session.feeds(rows)):
            raise Untranslatable("the output depends on the inputs by steps only, which have no gradient")
        expected = np.asarray(session.forward(rows), dtype=np.float64)
        if not np.isfinite(expected).all():
            continue
        found = np.asarray(translated.forward(session.feeds(rows)), dtype=np.float64)
        if found.shape != expected.shape:
            raise Untranslatable(
                f"the translation answers {list(found.shape)} where ONNX Runtime answers {list(expected.shape)}"
            )
        difference = np.abs(found - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
        worst = max(worst or 0.0, float(difference)) if np.isfinite(difference) else np.inf
    if worst is None:
        raise Untranslatable("no input was found on which the model answers finite numbers; add a sample to its card")
    if not worst <= TOLERANCE:
        raise Unequal(worst)
    return worst


def probes(card: ModelCard, session: OnnxSession, sample: Arrays, baseline: Arrays) -> Iterator[dict[str, NDArray[Any]]]:
    """Rows to compare on: the sample or seeded random rows, noise around them, and the baseline."""
    rng = np.random.Generator(np.random.Philox(0))
    first = {name: array[:ROWS] for name, array in sample.items()} or _guessed(card, session, rng)
    yield first
    for scale in PERTURBATIONS:
        yield {spec.name: _perturbed(first[spec.name], spec, scale, rng) for spec in card.inputs}
    if baseline.keys() >= first.keys():
        yield {name: np.broadcast_to(baseline[name], array.shape) for name, array in first.items()}


def _guessed(card: ModelCard, session: OnnxSession, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Random rows of the card's shape; open axes get the first length that ONNX Runtime takes."""
    for length in GUESSES:
        rows = {spec.name: _random(spec, length, rng) for spec in card.inputs}
        try:
            session.forward(rows)
        except Exception:  # noqa: S112  # too short for the model, by any error of ONNX Runtime: the next length
            continue
        return rows
    raise Untranslatable("no input was found that ONNX Runtime takes; add a sample to the card")


def _random(spec: InputSpec, length: int, rng: np.random.Generator) -> NDArray[Any]:
    shape = (ROWS, *(length if size == -1 else size for size in spec.row_shape))
    if spec.filled:  # all of it is attended to, and it is one text
        return np.full(shape, spec.modality == "text_mask").astype(NUMPY_NAMES[spec.datatype])
    if spec.datatype not in FLOATS:
        return rng.integers(0, 2, size=shape).astype(NUMPY_NAMES[spec.datatype])
    if spec.range is not None:
        return rng.uniform(*spec.range, size=shape)
    return rng.normal(size=shape)


def _perturbed(rows: NDArray[Any], spec: InputSpec, scale: float, rng: np.random.Generator) -> NDArray[Any]:
    """Floats with noise; whole numbers in another order."""
    if spec.filled:
        return rows
    if spec.datatype not in FLOATS:
        return rng.permuted(rows, axis=-1) if rows.ndim > 1 else rows
    spread = float(np.std(rows)) or 1.0
    return rows + scale * spread * rng.normal(size=rows.shape)
