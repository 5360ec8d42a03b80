"""`instances`: rows as plain JSON -> the rows of a job, checked against the model's card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InvalidInput, RequestRefused
from explainery.contract.model_card import InputSpec, ModelCard
from explainery.contract.tensors import tensor_from_nested
from service.encoded import is_encoded, read_files
from service.faults import fault
from service.rows import Rows, check_count, check_none_filled, check_row_shape
from service.table_row import by_feature, has_names
from service.texts import MEDIA_TYPE, is_text, read_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_instances(instances: list[Any], card: ModelCard, max_rows: int, loc: str = "instances", kind: str = "input") -> Rows:
    """The rows that `instances` hold; their arrays are named `<kind>/<input>`.

    Raises InvalidInput on a wrong name, type or shape, InputNotFinite on NaN and infinity, PayloadTooLarge on too many rows.
    """
    check_count(len(instances), max_rows, loc)
    arrays: dict[str, NDArray[Any]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    encodings: dict[str, str] = {}
    for spec in card.sent:
        column = [value_of(row, spec, card, f"{loc}.{index}") for index, row in enumerate(instances)]
        if any(map(is_encoded, column)):
            files, encodings[spec.name] = read_files(spec, column, loc)
            arrays.update(files)
            shapes[spec.name] = spec.row_shape
        elif any(is_text(spec, value) for value in column):
            arrays.update(read_texts(spec, column, loc))
            encodings[spec.name], shapes[spec.name] = MEDIA_TYPE, spec.row_shape
        else:
            array = read_column(spec, column, loc)
            arrays[f"{kind}/{spec.name}"] = array
            shapes[spec.name] = array.shape[1:]
    return Rows(len(instances), arrays, shapes, encodings)


def value_of(row: Any, spec: InputSpec, card: ModelCard, loc: str) -> Any:
    """One input's part of a row: nested lists, an encoded file, or a text."""
    return plain(_part(row, spec, card, loc), spec, loc)


def plain(value: Any, spec: InputSpec, loc: str) -> Any:
    """Turn a table's row by feature name into its values in order; leave everything else as it is."""
    if isinstance(value, dict) and not is_encoded(value):
        if not has_names(spec):
            raise fault(InvalidInput, loc, f"must hold numbers for input {spec.name}, not an object")
        return by_feature(spec, value, loc)
    return value


def read_column(spec: InputSpec, column: list[Any], loc: str) -> NDArray[Any]:
    """The rows of one input as one array. Raises InvalidInput, InputNotFinite, naming the first row at fault."""
    try:
        array = tensor_from_nested(spec.datatype, column, loc)
    except RequestRefused:
        for index, value in enumerate(column):  # say which row it is
            check_row_shape(spec, tensor_from_nested(spec.datatype, value, f"{loc}.{index}").shape, f"{loc}.{index}")
        raise
    check_row_shape(spec, array.shape[1:], loc)
    return array


def _part(row: Any, spec: InputSpec, card: ModelCard, loc: str) -> Any:
    """What a row holds for one input: its entry in an object by input name; for a model with one input also the row itself."""
    names = {other.name for other in card.sent}
    if isinstance(row, dict) and set(row) == names and not _means_features(row, spec, card):
        return row[spec.name]
    if isinstance(row, dict):
        check_none_filled(row, card, loc)
    if len(names) == 1:
        return row
    raise fault(InvalidInput, loc, f"must be an object with exactly these inputs: {', '.join(sorted(names))}")


def _means_features(row: dict[str, Any], spec: InputSpec, card: ModelCard) -> bool:
    """A table of one column may name its feature like its input: a bare value then means the feature."""
    only = len(card.sent) == 1 and has_names(spec) and set(row) == set(spec.features or ())
    return only and not isinstance(next(iter(row.values())), list)
