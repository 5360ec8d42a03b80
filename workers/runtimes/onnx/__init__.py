"""ONNX models: values by ONNX Runtime, gradients by a translation to torch that is compared with it before it is used."""

from __future__ import annotations

from collections.abc import Mapping

from explainery.contract.catalogue import RuntimeSpec, Verdict
from explainery.contract.model_card import ModelCard
from explainery.settings import Settings
from workers.plugins import Place
from workers.runtimes.onnx.model import OnnxModel, looked_at
from workers.runtimes.onnx.session import opened

SPEC = RuntimeSpec(
    name="onnx",
    title="ONNX Runtime",
    formats=("onnx",),
    answers=("values", "gradients", "internals", "trees"),
    shuffles=("onnx",),
)


def refuses(card: ModelCard, settings: Settings) -> str | None:
    """Nothing: an ONNX file runs no code of its own."""
    return None


def load(card: ModelCard, files: Mapping[str, bytes], place: Place) -> OnnxModel:
    """Open a session from the file's bytes. Raises ModelUnloadable when it is not self-contained or not what the card says."""
    content = files[str(card.file)]
    return OnnxModel(card, files, opened(card, content, place), place)


def inspect(card: ModelCard, files: Mapping[str, bytes]) -> Verdict:
    """What the file shows without being run: whether it can be translated, or which operator is missing."""
    return looked_at(card, files[str(card.file)])
