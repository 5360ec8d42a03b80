"""From Python values to the body of a submit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explainery.client.tables import is_table, parts_of_table
from explainery.contract.errors import InvalidInput
from explainery.contract.tensors import check_finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Inputs = ArrayLike | Mapping[str, ArrayLike] | Sequence[Any]

_TENSOR_FIELDS = {"name", "datatype", "shape", "data"}


def rows(inputs: Inputs) -> dict[str, Any]:
    """The `inputs` or `instances` of a request.

    One array [rows, ...] for a model with one input; a mapping of such arrays by input name; a table of pandas or polars, whose
    columns are features; a list of instances (rows as the wire has them: nested lists, objects by name, images); or a list of
    named tensors of the Open Inference Protocol.

    Arrays are sent as instances: the service gives them the datatype of the model's card. Raises InputNotFinite, and
    InvalidInput when arrays differ in their number of rows.
    """
    import numpy as np

    if isinstance(inputs, Mapping):
        return {"instances": _by_name({name: np.asarray(array) for name, array in inputs.items()})}
    if is_table(inputs):
        return {"instances": [row for part, _ in parts_of_table(inputs, 1024) for row in part]}
    if hasattr(inputs, "__array__"):  # NumPy's own, and what can become it (a torch tensor on the CPU)
        return {"instances": _values(np.asarray(inputs), "inputs")}
    listed = [item.tolist() if isinstance(item, np.ndarray | np.generic) else item for item in inputs]  # type: ignore[union-attr]
    tensors = listed and all(isinstance(item, Mapping) and set(item) == _TENSOR_FIELDS for item in listed)
    return {"inputs" if tensors else "instances": listed}


def listed(inputs: Inputs) -> list[Any] | None:
    """Rows as they were given, one by one; None of named tensors."""
    if isinstance(inputs, Mapping) or is_table(inputs) or hasattr(inputs, "__array__"):
        return list(rows(inputs)["instances"])
    return rows(inputs).get("instances")


def _by_name(arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    counts = {name: len(array) if array.ndim else None for name, array in arrays.items()}
    if not arrays or None in counts.values() or len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items()) or "none"
        raise InvalidInput(f"Every input needs the same number of rows as its first axis; there are {listed}")
    columns = {name: _values(array, name) for name, array in arrays.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(array: Any, loc: str) -> list[Any]:
    if array.ndim == 0:
        raise InvalidInput(f"{loc} is a single number; its first axis must count the rows")
    check_finite(array, loc)
    return list(array.tolist())
