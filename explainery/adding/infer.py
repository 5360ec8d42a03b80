"""What a model's file says of itself, as a draft of its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from explainery.adding import onnx_graph, safetensors_file
from explainery.adding.draft import Draft
from explainery.contract.errors import ModelRefused
from explainery.contract.model_card import FLOATS

FORMATS = {".onnx": "onnx", ".safetensors": "safetensors", ".pt2": "pt2"}
STATE_DICTS = (".pt", ".pth", ".bin", ".ckpt")
KINDS = {"prob": "probabilities", "softmax": "probabilities", "logit": "logits"}
"""Words in an output's name -> its kind."""


def format_of(name: str) -> str:
    """The format that a file's ending says. Raises ModelRefused."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in STATE_DICTS:
        raise ModelRefused(
            f"A {suffix} file is a pickle. Add it with `explainery models add`, which converts a state dict to safetensors, "
            "or save it as safetensors or ONNX."
        )
    if suffix not in FORMATS:
        raise ModelRefused("The model file must end in .onnx, .safetensors or .pt2.")
    return FORMATS[suffix]


def drafted(name: str, file: str, content: bytes, factory: str | None = None, labels: Sequence[str] = ()) -> Draft:
    """The draft for a model file. Raises ModelRefused when the file is not what its ending says."""
    found = format_of(file)
    draft = Draft({"title": name, "format": found, "file": PurePosixPath(file).name})
    if found == "onnx":
        _from_graph(draft, onnx_graph.read(content), labels)
        return draft
    if found == "safetensors":
        said = safetensors_file.summary(content)
        draft.top["factory"] = factory
        if factory is None:
            draft.left.append(f'factory: what builds the module for these weights ({said}), as "module:function"')
            draft.left.append("factory_args: its arguments, where it takes some")
    draft.left.append("inputs: name, datatype and shape of each input, as the module's forward takes them")
    draft.left.append("outputs: name, datatype, shape, kind and labels of the output")
    if labels:
        draft.left.append(f"outputs labels: the model's configuration names {', '.join(labels[:20])}")
    return draft


def _from_graph(draft: Draft, values: onnx_graph.Values, labels: Sequence[str]) -> None:
    if not values.inputs or not values.outputs:
        raise ModelRefused("The ONNX graph has no input or no output tensor; there is nothing to explain.")
    draft.inputs = [_table(value, "input", draft) for value in values.inputs]
    outputs = [value for value in values.outputs if value.datatype is not None]
    if not outputs:
        raise ModelRefused("No output of the ONNX graph holds numbers of a type that cards know.")
    score = _score(outputs)
    draft.outputs = [_table(value, "output", draft) for value in outputs]
    if len(outputs) > 1:
        draft.top["score"] = score.name
        draft.left.append(f"score: {score.name} is taken as the output to explain; the others are in the card too")
    _finish_output(draft, next(table for table in draft.outputs if table["name"] == score.name), labels)
    draft.left.append(
        "inputs modality: tensor is assumed; tabular (with feature names), image or series explain in better units"
    )


def _finish_output(draft: Draft, table: dict[str, Any], labels: Sequence[str]) -> None:
    kind = next((kind for word, kind in KINDS.items() if word in table["name"].lower()), None)
    if kind is not None:
        table["kind"] = kind
    else:
        draft.left.append(f"outputs.{table['name']}.kind: logits, probabilities, regression or scores (assumed)")
    columns = table["shape"][1] if len(table["shape"]) == 2 else 1
    if labels and len(labels) == columns:
        table["labels"] = list(labels)
    elif columns != 1:
        draft.left.append(f"outputs.{table['name']}.labels: a name for each column")


def _score(outputs: Sequence[onnx_graph.Value]) -> onnx_graph.Value:
    """The output to explain: floats in columns, where there are some."""
    floats = [value for value in outputs if value.datatype in FLOATS]
    return next((value for value in floats if len(value.shape or ()) > 1), floats[0] if floats else outputs[0])


def _table(value: onnx_graph.Value, what: str, draft: Draft) -> dict[str, Any]:
    if value.datatype is None:
        raise ModelRefused(f"The {what} {value.name!r} of the ONNX graph holds no numbers of a type that cards know.")
    if not value.shape:
        draft.left.append(f"{what}s.{value.name}.shape: the file does not say it")
    return {"name": value.name, "datatype": value.datatype, "shape": [-1, *(value.shape or ())[1:]]}
