"""ONNX Runtime answers black-box questions. A file is self-contained, and given as bytes, never as a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from explainery.contract.errors import ModelUnloadable
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from workers.plugins import Place

Arrays = Mapping[str, NDArray[Any]]


def opened(card: ModelCard, content: bytes, place: Place) -> OnnxSession:
    """Open a session. Raises ModelUnloadable when the file is not self-contained or not what the card says."""
    refuse_external_data(onnx.load_model_from_string(content))
    session = _session(content, place)
    _check_names(card, session)
    _check_types(card, session)
    return OnnxSession(card, session)


def _session(content: bytes, place: Place) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = place.settings.threads
    options.log_severity_level = 3
    # spinning threads halve the speed of whatever else computes on the machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(content, options, providers=providers(place.device))


def graph_session(content: bytes, place: Place) -> Callable[[Arrays], list[NDArray[Any]]]:
    """A session of any graph: arrays by input name (those it does not read may be among them) -> its outputs in order."""
    session = _session(content, place)
    names = [value.name for value in session.get_inputs()]

    def run(arrays: Arrays) -> list[NDArray[Any]]:
        found: list[NDArray[Any]] = session.run(None, {name: arrays[name] for name in names})
        return found

    return run


class OnnxSession:
    """One session, called with any number of rows. `batch`: the only number of rows that the file takes, or None."""

    def __init__(self, card: ModelCard, session: Any) -> None:
        self._session = session
        self._output = card.score_output.name
        self._datatypes = {spec.name: NUMPY_NAMES[spec.datatype] for spec in card.inputs}
        first = [value.shape[0] for value in session.get_inputs() if value.shape]
        self.batch: int | None = next((size for size in first if isinstance(size, int)), None)
        cuda = "CUDAExecutionProvider" in session.get_providers()
        self.environment: Mapping[str, str | None] = {
            "onnxruntime": str(ort.__version__),
            "device": "cuda" if cuda else "cpu",
        }

    def forward(self, inputs: Arrays) -> NDArray[Any]:
        """Outputs [points, columns]. Raises MemoryError."""
        parts = [self._run(part, points) for part, points in batches(self.feeds(inputs), self.batch)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def feeds(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """The inputs in the types that the file takes."""
        return {name: np.ascontiguousarray(array, dtype=self._datatypes[name]) for name, array in inputs.items()}

    def _run(self, feeds: dict[str, NDArray[Any]], points: int) -> NDArray[Any]:
        try:
            output = self._session.run([self._output], feeds)[0]
        except Exception as error:  # ONNX Runtime has no class of its own for memory
            if "allocate memory" in str(error) or "bad_alloc" in str(error):
                raise MemoryError from error
            raise
        array = np.asarray(output)
        if array.ndim == 0 or len(array) != len(next(iter(feeds.values()))):
            raise ValueError("the output has another number of rows than the input")
        return array[:points].reshape(points, -1)


def batches(feeds: dict[str, NDArray[Any]], batch: int | None) -> Iterator[tuple[dict[str, NDArray[Any]], int]]:
    """The feeds in parts of the file's fixed batch size, the last one filled up by repeating its last row."""
    points = len(next(iter(feeds.values())))
    for start in range(0, points, batch or points):
        part = {name: array[start : start + batch] if batch else array for name, array in feeds.items()}
        size = len(next(iter(part.values())))
        if batch and size < batch:
            part = {name: np.concatenate([array, np.repeat(array[-1:], batch - size, axis=0)]) for name, array in part.items()}
        yield part, size


def providers(device: str) -> list[Any]:
    """The device's provider where this build of ONNX Runtime has it, and the CPU for what it cannot do."""
    if not device.startswith("cuda") or "CUDAExecutionProvider" not in ort.get_available_providers():
        return ["CPUExecutionProvider"]
    # TF32 keeps 10 bits of the mantissa, and explanations are small differences
    options = {"device_id": int(device.partition(":")[2] or 0), "use_tf32": 0}
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]


def refuse_external_data(model: Any) -> None:
    """Refuse tensors that live in other files: they name paths on this machine."""
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    if any(uses_external_data(tensor) for tensor in _get_all_tensors(model)):
        raise ModelUnloadable("The ONNX file keeps weights in other files (external data). Save it as one self-contained file.")


def _check_names(card: ModelCard, session: Any) -> None:
    for what, declared, there in (
        ("input", [spec.name for spec in card.inputs], [value.name for value in session.get_inputs()]),
        ("output", [card.score_output.name], [value.name for value in session.get_outputs()]),
    ):
        missing = sorted(set(declared) - set(there)) or (sorted(set(there) - set(declared)) if what == "input" else [])
        if missing:
            raise ModelUnloadable(
                f"Card and ONNX file disagree on the {what} {', '.join(missing)}; the file has: {', '.join(there)}. "
                "Correct the card."
            )


TYPES = {"float": "float32", "double": "float64"}
"""ONNX names that are not NumPy's."""


def _check_types(card: ModelCard, session: Any) -> None:
    for value in session.get_inputs():
        spec = card.input(value.name)
        held = value.type.removeprefix("tensor(").removesuffix(")")
        sizes = tuple(size if isinstance(size, int) else -1 for size in value.shape or ())
        if TYPES.get(held, held) != NUMPY_NAMES[spec.datatype]:
            raise ModelUnloadable(
                f"The card says {spec.datatype} of input {spec.name}, the ONNX file takes {value.type}; correct the card."
            )
        if value.shape and not _agree(sizes[1:], spec.row_shape):
            raise ModelUnloadable(
                f"The card says {list(spec.row_shape)} of one row of input {spec.name}, the ONNX file takes {list(sizes[1:])}; "
                "correct the card."
            )

    score = next(value for value in session.get_outputs() if value.name == card.score_output.name)
    if not score.type.startswith("tensor("):
        raise ModelUnloadable(
            f"The output {score.name} is no tensor but {score.type.partition('(')[0]}; export the model without ZipMap."
        )


def _agree(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) and all(-1 in sizes or sizes[0] == sizes[1] for sizes in zip(one, other, strict=True))
