"""An ONNX model with shuffled weights: the translation answers for everything, as ONNX Runtime has the file's own weights."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from workers.questions import Probe
from workers.runtimes.onnx.hybrid import Hybrid
from workers.runtimes.onnx.model import OnnxModel
from workers.runtimes.onnx.session import Arrays
from workers.runtimes.onnx.translated import Translated


class ShuffledOnnx(OnnxModel):
    """Another model's session for reading rows, and a translation of its own."""

    def __init__(self, whole: OnnxModel, translated: Translated) -> None:
        self.__dict__.update({name: part for name, part in vars(whole).items() if name != "_looking"})
        self._translated = translated

    def forward(self, inputs: Arrays) -> NDArray[Any]:
        """Outputs [points, columns], by the translation."""
        return self._inner.forward(self._session.feeds(inputs))

    def _hybrid(self, probe: Probe) -> Hybrid | None:
        return None
