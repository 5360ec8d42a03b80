"""A loaded ONNX model: values by its session, gradients by a translation that has passed the parity gate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import MethodUnavailable
from explainery.contract.model_card import ModelCard
from workers.card_arrays import baselines_of, sample_of
from workers.plugins import Place
from workers.runtimes.onnx.gate import parity
from workers.runtimes.onnx.refusal import Unequal, Untranslatable
from workers.runtimes.onnx.session import Arrays, OnnxSession
from workers.runtimes.onnx.translate import read_model, translate
from workers.runtimes.onnx.translated import Translated


class OnnxModel:
    """A session and its translation. `verdict`: what the parity gate measured, or why there are no gradients."""

    xp = np

    def __init__(self, card: ModelCard, files: Mapping[str, bytes], session: OnnxSession, place: Place) -> None:
        self._session = session
        self._translated, self.verdict = _judged(card, files, session, place)
        torch_version = {} if self._translated is None else {"torch": torch.__version__.partition("+")[0]}
        self.environment: Mapping[str, str | None] = {**session.environment, **torch_version}

    def place(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array itself: session and translation copy to their device."""
        return array

    def fetch(self, array: NDArray[Any]) -> NDArray[np.float64]:
        """The array as float64."""
        return np.asarray(array, dtype=np.float64)

    def forward(self, inputs: Arrays) -> NDArray[Any]:
        """Outputs [points, columns], by ONNX Runtime."""
        return self._session.forward(inputs)

    def gradients(self, inputs: Arrays, columns: NDArray[np.int64]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """Outputs [points] and gradients [points, *row], by the translation. Raises MethodUnavailable where there is none."""
        if self._translated is None:
            raise MethodUnavailable(f"This model gives no gradients: {self.verdict.cannot['gradients']}.")
        return self._translated.gradients(self._session.feeds(inputs), columns)


def _judged(
    card: ModelCard, files: Mapping[str, bytes], session: OnnxSession, place: Place
) -> tuple[Translated | None, Verdict]:
    """The translation where it passes the gate, and the verdict. Nothing that goes wrong here stops black-box questions."""
    output = card.score_output.name
    try:
        translation = translate(read_model(files[str(card.file)]), [output])
        translated = Translated(translation, output, place.device, session.batch)
        measured = parity(card, session, translated, sample_of(card, files), baselines_of(card, files))
    except Unequal as refusal:
        difference = min(refusal.difference, sys.float_info.max)  # JSON has no infinity
        return None, Verdict(cannot={"gradients": str(refusal)}, parity=difference)
    except Untranslatable as refusal:
        return None, Verdict(cannot={"gradients": str(refusal)})
    except Exception as error:  # whatever a graph does when it runs: its gradients are refused, not its values
        notes = getattr(error, "__notes__", [""])
        reason = f"the translation fails ({type(error).__name__} {notes[0]})".replace(" )", ")")
        return None, Verdict(cannot={"gradients": reason})
    return translated, Verdict(parity=measured, approximate=translation.approximate)


def looked_at(card: ModelCard, content: bytes) -> Verdict:
    """What the file shows without being run: the operator that is missing, if one is."""
    try:
        return Verdict(approximate=translate(read_model(content), [card.score_output.name]).approximate)
    except Untranslatable as refusal:
        return Verdict(cannot={"gradients": str(refusal)})
