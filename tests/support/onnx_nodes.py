"""The onnx package's own node tests, run on the translation: each is passed, refused by name, wrong, or out of scope."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.translate import translate

OUT_OF_SCOPE = frozenset(
    {"Adagrad", "Adam", "Momentum", "Gradient", "Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform"}
    | {"RandomUniformLike", "Multinomial", "DFT", "STFT", "MelWeightMatrix", "StringConcat", "StringNormalizer", "StringSplit"}
    | {"RegexFullMatch", "TfIdfVectorizer", "LabelEncoder", "SequenceInsert", "SequenceMap", "SplitToSequence", "SequenceEmpty"}
    | {"SequenceAt", "SequenceConstruct", "SequenceErase", "SequenceLength", "ConcatFromSequence", "OptionalGetElement"}
    | {"OptionalHasElement", "Optional", "NonMaxSuppression", "ImageDecoder"}
)
"""Training, randomness, Fourier transforms, texts, sequences, selection of boxes, decoding of images."""
RANDOM_OR_TRAINING = ("training_dropout", "batchnorm_epsilon_training", "batchnorm_example_training", "train")


@dataclass(frozen=True)
class Case:
    """One node test. `op`: the operator it is about."""

    name: str
    op: str
    model: Any
    data: list[tuple[list[Any], list[Any]]]
    """(inputs, outputs) of each data set, as arrays."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case: "passed", "refused", "wrong" or "out of scope", and why."""

    case: Case
    kind: str
    why: str = ""


def cases() -> Iterator[Case]:
    """Every node test that the installed onnx package brings along."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_model_tests(kind="node")
    for case in sorted(loaded, key=lambda case: case.name):
        name = case.name.removeprefix("test_")
        yield Case(name, _operator(name, case.model), case.model, case.data_sets)


def run(case: Case) -> Outcome:
    """Translate the case's model, and compare what it answers with what the onnx package says."""
    if why := _out_of_scope(case):
        return Outcome(case, "out of scope", why)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _compared(case)
        except Untranslatable as refusal:
            return Outcome(case, "refused", str(refusal))
        except Exception as error:  # an error when it runs refuses the model's gradients, as the parity gate does
            return Outcome(case, "refused", f"raises {type(error).__name__}: {str(error)[:80]}")


def _compared(case: Case) -> Outcome:
    wanted = [value.name for value in case.model.graph.output if value.name]
    graph = translate(case.model, wanted).graph
    names = [value.name for value in case.model.graph.input]
    for given, expected in case.data:
        feeds = {name: tensor_of(_array(array)) for name, array in zip(names, given, strict=True)}
        with torch.no_grad():
            found = graph.run(feeds, wanted)
        for name, array in zip(wanted, expected, strict=True):
            if why := _difference(found[name], _array(array)):
                return Outcome(case, "wrong", why)
    return Outcome(case, "passed")


TOLERANCES = {torch.float16: 1e-3, torch.bfloat16: 1e-2}
"""Half precision holds three digits, bfloat16 two."""


def _array(value: Any) -> np.ndarray[Any, Any]:
    """A test's data, which are arrays or encoded tensors."""
    return np.asarray(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)


def _difference(found: Any, expected: np.ndarray[Any, Any]) -> str:
    if tuple(found.shape) != expected.shape:
        return f"shape {tuple(found.shape)} for {expected.shape}"
    wide = found.double().numpy() if found.is_floating_point() else found.numpy()
    tolerance = TOLERANCES.get(found.dtype, 1e-4)
    if not np.allclose(wide.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance, equal_nan=True):
        return f"differs by {np.abs(wide.astype(np.float64) - expected.astype(np.float64)).max():.1e}"
    return ""


def _operator(name: str, model: Any) -> str:
    """The operator a case is about: the one it has, or (of expanded functions) the one its name begins with."""
    ops = {node.op_type for node in model.graph.node}
    if len(ops) == 1 and not name.endswith("expanded"):
        return str(next(iter(ops)))
    return "functions, written out"


def _out_of_scope(case: Case) -> str:
    model = case.model
    found = sorted(OUT_OF_SCOPE & {node.op_type for node in model.graph.node})
    if found:
        return ", ".join(found)
    if any(word in case.name for word in RANDOM_OR_TRAINING):
        return "training"
    kinds = [value.type for value in (*model.graph.input, *model.graph.output)]
    if any(kind.HasField("sequence_type") or kind.HasField("optional_type") for kind in kinds):
        return "sequences"
    if any(kind.tensor_type.elem_type in (onnx.TensorProto.STRING, onnx.TensorProto.COMPLEX64) for kind in kinds):
        return "texts, complex numbers"
    return ""
