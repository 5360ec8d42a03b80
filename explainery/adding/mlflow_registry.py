"""Models of an MLflow registry: `models:/name/version` and `models:/name@alias`. Needs the extra mlflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from explainery.adding.draft import Draft
from explainery.contract.errors import ModelRefused

SCHEME = "models:/"
DATATYPES = {
    "float64": "FP64", "float32": "FP32", "float16": "FP16", "int64": "INT64", "int32": "INT32", "int16": "INT16",
    "int8": "INT8", "uint8": "UINT8", "bool": "BOOL",
    "double": "FP64", "float": "FP32", "long": "INT64", "integer": "INT32", "boolean": "BOOL",
}  # fmt: skip
"""NumPy's names in tensor schemas and MLflow's own in column schemas -> names of the Open Inference Protocol."""


def fetched(uri: str) -> tuple[Path, Any]:
    """The model's folder on this machine, and its signature (None where it has none). Raises ModelRefused without mlflow."""
    try:
        import mlflow
    except ImportError:
        raise ModelRefused(
            f"{SCHEME} names a model of an MLflow registry, which needs: pip install 'explainery[mlflow]'"
        ) from None
    return Path(mlflow.artifacts.download_artifacts(uri)), mlflow.models.get_model_info(uri).signature


def model_file(folder: Path) -> Path:
    """The one ONNX or safetensors file in the folder. Raises ModelRefused: what MLflow pickles is never loaded."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".onnx", ".safetensors"))
    if len(found) != 1:
        raise ModelRefused(
            f"The MLflow model has {len(found)} files of ONNX or safetensors, and needs one: log it with mlflow.onnx. "
            "Pickled flavors are not taken."
        )
    return found[0]


def schema(signature: Any) -> Callable[[Draft], None]:
    """What the signature says, to be written into a draft."""

    def apply(draft: Draft) -> None:
        for what, tables, said in (("input", draft.inputs, signature.inputs), ("output", draft.outputs, signature.outputs)):
            if said is None:
                continue
            specs = list(said.inputs)
            if said.is_tensor_spec():
                _from_tensors(tables, specs)
            elif what == "input":
                _from_columns(draft, specs)

    return apply


def _from_tensors(tables: list[dict[str, Any]], specs: Sequence[Any]) -> None:
    """Names, types and shapes; of a graph only the open axes are filled, because the graph itself is what runs."""
    if not tables:
        tables += [
            {"name": spec.name or f"value_{number}", "datatype": DATATYPES.get(str(spec.type)), "shape": [-1, *spec.shape[1:]]}
            for number, spec in enumerate(specs)
        ]
        return
    by_name = {spec.name: spec for spec in specs}
    for table in tables:
        spec = by_name.get(table["name"], specs[0] if len(specs) == len(tables) == 1 else None)
        if spec is not None and len(spec.shape) == len(table["shape"]):
            table["shape"] = [own if own != -1 else int(said) for own, said in zip(table["shape"], spec.shape, strict=True)]
            table["shape"][0] = -1


def _from_columns(draft: Draft, specs: Sequence[Any]) -> None:
    """Columns are the features of the one table that goes in."""
    names = [str(spec.name) for spec in specs]
    if not draft.inputs:
        kinds = {DATATYPES.get(str(getattr(spec.type, "name", spec.type)).lower()) for spec in specs}
        datatype = kinds.pop() if len(kinds) == 1 else "FP64"
        draft.inputs.append({"name": "input", "datatype": datatype or "FP64", "shape": [-1, len(names)]})
    (table, *others) = draft.inputs
    if not others and len(table["shape"]) == 2 and table["shape"][1] in (-1, len(names)):
        table.update(shape=[-1, len(names)], modality="tabular", features=names)
