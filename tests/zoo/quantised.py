"""Quantised files by ONNX Runtime's own tools: QDQ pairs with measured ranges, and dynamic ranges."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class _Reader:
    """Calibration rows, once."""

    def __init__(self, rows: Arrays) -> None:
        self._rows: Arrays | None = rows

    def get_next(self) -> Arrays | None:
        rows, self._rows = self._rows, None
        return rows


def pairs(make: Callable[[], bytes], inputs: Callable[[], Arrays]) -> bytes:
    """QuantizeLinear and DequantizeLinear around everything."""
    from onnxruntime.quantization import QuantFormat, quantize_static

    return _through_files(
        make(), lambda source, target: quantize_static(source, target, _Reader(inputs()), quant_format=QuantFormat.QDQ)
    )


def operators(make: Callable[[], bytes], inputs: Callable[[], Arrays]) -> bytes:
    """Operators that take and give bytes."""
    from onnxruntime.quantization import QuantFormat, quantize_static

    return _through_files(
        make(), lambda source, target: quantize_static(source, target, _Reader(inputs()), quant_format=QuantFormat.QOperator)
    )


def dynamic(make: Callable[[], bytes], inputs: Callable[[], Arrays]) -> bytes:
    """Products of bytes with ranges measured at each call."""
    from onnxruntime.quantization import quantize_dynamic

    return _through_files(make(), lambda source, target: quantize_dynamic(source, target))


def _through_files(content: bytes, quantise: Callable[[Path, Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger().setLevel(logging.ERROR)
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        source.write_bytes(content)
        quantise(source, target)
        return target.read_bytes()


MODELS = {
    "qdq-mlp": (pairs, "mlp"),
    "qdq-cnn": (pairs, "cnn"),
    "qdq-resnet": (pairs, "resnet"),
    "qop-cnn": (operators, "cnn"),
    "qop-resnet": (operators, "resnet"),
    "dynamic-mlp": (dynamic, "mlp"),
    "dynamic-bert": (dynamic, "bert"),
}
