"""An ONNX file's trees, with what lies between them and the explained output, compared with ONNX Runtime before use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import ModelCard
from workers.draws import generator
from workers.forest import Forest
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.session import OnnxSession
from workers.runtimes.onnx.wood.grown import Grown
from workers.runtimes.onnx.wood.tail import Tail

TRIED = 64
NEAR = 1e-4
"""Largest difference to ONNX Runtime, as a share of the largest output: it adds in single precision."""


def trees_of(card: ModelCard, model: Any) -> Grown:
    """What trees make of the explained output. Raises Untranslatable, with the reason, when there is more to it."""
    if len(card.inputs) != 1 or len(card.inputs[0].shape) != 2:
        raise Untranslatable("trees are read from files with one input, a table")
    return Tail(model).grown(card.score_output.name)


def checked(grown: Grown, card: ModelCard, session: OnnxSession) -> Grown:
    """The trees, once they have answered as ONNX Runtime does. Raises Untranslatable where they do not."""
    spec = card.inputs[0]
    points = _points(grown.forest, int(spec.row_shape[0]), np.dtype(grown.forest.threshold.dtype))
    expected = np.asarray(session.forward({spec.name: points}), dtype=np.float64)
    found = grown.predict(points)
    if found.shape != expected.shape or np.abs(found - expected).max() > NEAR * max(1.0, float(np.abs(expected).max())):
        raise Untranslatable("the trees that were read answer otherwise than ONNX Runtime")
    return grown


def _points(forest: Forest, features: int, precision: np.dtype[Any]) -> NDArray[Any]:
    """Rows whose values lie at the trees' own thresholds and members, and next to them."""
    random = generator(0, "trees")
    points = random.normal(size=(TRIED, features))
    for feature in range(features):
        own = forest.asked_of(feature)
        if len(own):
            points[:, feature] = random.choice(own, TRIED)
    points[TRIED // 2 :] *= 1 + 1e-3 * random.normal(size=(TRIED - TRIED // 2, features))
    return points.astype(precision)
