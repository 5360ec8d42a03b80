"""A result as others like to have it: shap's four fields, a DataFrame, one row of it, or many joined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from explainery.client.problems import ClientError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainery.client.outcome import ExplanationResult


class NoRows(ClientError):
    """The result is of a method that answers for the job as a whole: it has a report, and no row of its own."""


def values(result: ExplanationResult) -> NDArray[Any]:
    """Attributions [rows, ...], of several inputs side by side. Raises NoRows."""
    import numpy as np

    _check_rows(result)
    arrays = [result.attributions[name] for name in _inputs(result)]
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def data(result: ExplanationResult) -> NDArray[Any] | None:
    """The rows that were sent, shaped like `values`; None where they are not known or have another shape."""
    import numpy as np

    _check_rows(result)
    if result.given is None:
        return None
    if words := _words(result):
        return _ragged(words) if result.given and all(isinstance(row, str) for row in result.given) else None
    names, inputs = feature_names(result), _inputs(result)
    try:
        rows = [_cells(row, names, inputs) for row in result.given]
        return np.asarray(rows, dtype=_dtype(rows)).reshape(values(result).shape)
    except (ValueError, TypeError, KeyError):
        return None


def feature_names(result: ExplanationResult) -> list[str] | None:
    """Names of the columns of `values`, where every input has names or is a vector of one."""
    _check_rows(result)
    first = result.explanations[0].attributions
    found: list[str] = []
    several = len(first) > 1
    for attribution in first:
        if attribution.offsets is not None or (attribution.features is None and not several):
            return None
        found += attribution.features or _places(attribution.input, attribution.shape)
    return found


def row(result: ExplanationResult, number: int) -> ExplanationResult:
    """One row as a result of its own."""
    _check_rows(result)
    if not -len(result) <= number < len(result):
        raise IndexError(f"there are {len(result)} rows")
    number %= len(result)
    at = slice(number, number + 1)

    def cut(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {name: array[at] for name, array in arrays.items()}

    return replace(
        result,
        result=result.result.model_copy(update={"explanations": result.explanations[at]}),
        attributions=_fitted(result, number),
        standard_errors=cut(result.standard_errors),
        instance_output=result.instance_output[at],
        baseline_output=result.baseline_output[at],
        maps=cut(result.maps),
        given=None if result.given is None else result.given[at],
        index=None if result.index is None else result.index[at],
    )


def joined(results: list[ExplanationResult]) -> ExplanationResult:
    """One result of the rows of many. Raises ValueError for none, or for those that are not of one kind."""
    import numpy as np

    if not results:
        raise ValueError("there is no result to join")
    first = results[0]
    kinds = {(each.result.model.digest, each.result.method, *sorted(each.attributions)) for each in results}
    if len(kinds) > 1:
        raise ValueError("only results of one model by one method can be joined")

    def stacked(name: str) -> dict[str, NDArray[Any]]:
        parts = [getattr(each, name) for each in results]
        return {key: _stacked([part[key] for part in parts]) for key in parts[0] if all(key in part for part in parts)}

    def chained(name: str) -> list[Any] | None:
        parts = [getattr(each, name) for each in results]
        return None if any(part is None for part in parts) else list(chain.from_iterable(parts))

    explanations = tuple(chain.from_iterable(each.explanations for each in results))
    return replace(
        first,
        result=first.result.model_copy(update={"explanations": explanations}),
        attributions=stacked("attributions"),
        standard_errors=stacked("standard_errors"),
        instance_output=np.concatenate([each.instance_output for each in results]),
        baseline_output=np.concatenate([each.baseline_output for each in results]),
        maps=stacked("maps"),
        given=chained("given"),
        index=chained("index"),
    )


def to_shap(result: ExplanationResult) -> Any:
    """A `shap.Explanation`; of texts with a list of words per row."""
    import shap

    if words := _words(result):
        own = [result.row_of(each.attributions[0], number) for number, each in enumerate(result.explanations)]
        return shap.Explanation(_ragged(own), base_values=result.base_values, data=_ragged(words))
    outputs = sorted({each.target.label or each.target.output for each in result.explanations})
    return shap.Explanation(
        values(result),
        base_values=result.base_values,
        data=data(result),
        feature_names=feature_names(result),
        output_names=outputs[0] if len(outputs) == 1 else None,
    )


def to_frame(result: ExplanationResult) -> Any:
    """A DataFrame of the attributions: a column per feature, named by its place where it has no name."""
    import pandas

    table = values(result)
    columns = feature_names(result) or list(
        chain.from_iterable(
            _places(name, result.attributions[name].shape[1:]) if name in result.attributions else [name]
            for name in _inputs(result)
        )
    )
    return pandas.DataFrame(table.reshape(len(table), -1), columns=columns, index=result.index)


def _check_rows(result: ExplanationResult) -> None:
    if not result.explanations:
        raise NoRows(f"{result.result.method} answers for the job as a whole; look at .report and .maps")


def _inputs(result: ExplanationResult) -> list[str]:
    return [attribution.input for attribution in result.explanations[0].attributions]


def _words(result: ExplanationResult) -> list[list[str]]:
    """The words of each row, when the result is of texts; else none."""
    firsts = [each.attributions[0] for each in result.explanations]
    if any(
        first.offsets is None or len(each.attributions) > 1 for first, each in zip(firsts, result.explanations, strict=True)
    ):
        return []
    return [list(first.features or ()) for first in firsts]


def _cells(row: Any, names: list[str] | None, inputs: list[str]) -> Any:
    """A row as nested lists: its own, or in the order of the features, or of the inputs."""
    if not isinstance(row, dict):
        return row
    if names is not None and set(names) <= set(row):
        return [row[name] for name in names]
    parts = [row[name] for name in inputs]
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(map(_flat, parts)))


def _flat(part: Any) -> list[Any]:
    import numpy as np

    return list(np.asarray(part).ravel().tolist())


def _dtype(rows: list[Any]) -> type:
    """Numbers as such; where words stand among them, whatever they are."""
    import numpy as np

    return float if np.asarray(rows).dtype.kind in "biuf" else object


def _places(name: str, shape: tuple[int, ...]) -> list[str]:
    import numpy as np

    return [f"{name}[{','.join(map(str, place))}]" for place in np.ndindex(*shape)]


def _fitted(result: ExplanationResult, number: int) -> dict[str, NDArray[Any]]:
    """One row's attributions [1, ...] in their own shapes, without what filled them up."""
    return {each.input: result.row_of(each, number)[None] for each in result.explanations[number].attributions}


def _stacked(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrays on top of each other, filled up with zeros to the largest."""
    import numpy as np

    shape = tuple(map(max, zip(*(array.shape[1:] for array in arrays), strict=True)))
    filled = [
        np.pad(each, [(0, 0), *((0, most - own) for most, own in zip(shape, each.shape[1:], strict=True))]) for each in arrays
    ]
    return np.concatenate(filled)


def _ragged(rows: Iterable[Any]) -> NDArray[Any]:
    """An array of arrays of their own lengths."""
    import numpy as np

    listed = [np.asarray(row, dtype=object if isinstance(row, list) else None) for row in rows]
    made = np.empty(len(listed), dtype=object)
    for number, row in enumerate(listed):
        made[number] = row
    return made
