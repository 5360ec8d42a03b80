"""What comes back: a job, and an explanation with NumPy arrays."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from explainery.client import shown, views
from explainery.contract.job import Job
from explainery.contract.result import Attribution, Explanation, Result
from explainery.contract.tensors import header, own_part, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


def read_job(document: dict[str, Any]) -> Job:
    """A job of the wire. Fields of a newer service are left out; those an older one does not send are None."""
    unknown = {name: field.get_default() if not field.is_required() else None for name, field in Job.model_fields.items()}
    unknown |= {"method_requested": document.get("method"), "revision": 0}
    return Job.model_validate({**unknown, "priority": "interactive", **document}, extra="ignore")


@dataclass(frozen=True, eq=False)
class ExplanationResult:
    """The explanations of a job's rows.

    `attributions`: input name -> array [rows, ...], shaped like a row of the input, or [rows, groups]; texts differ in
    length and are filled up with zeros. `standard_errors`: the same for sampling methods, else empty. `instance_output`,
    `baseline_output`: float64 [rows].
    `maps`: name -> array, per row unless there is a `report`.
    `given`: the rows as they were sent, where this client sent them; `index`: what they are called in the table they came from.

    `values`, `base_values`, `data`, `feature_names` have the names and shapes of shap's `Explanation`.
    """

    result: Result
    attributions: Arrays
    standard_errors: Arrays
    instance_output: NDArray[Any]
    baseline_output: NDArray[Any]
    maps: Arrays = field(default_factory=dict)
    given: list[Any] | None = None
    index: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.explanations)

    @property
    def report(self) -> dict[str, Any] | None:
        """What a method found that answers for the job as a whole; its `maps` go with it."""
        return self.result.report

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """Per row: what was explained, the outputs and the quality figures."""
        return self.result.explanations

    @property
    def values(self) -> NDArray[Any]:
        """Attributions [rows, ...]; of a model with several inputs side by side, [rows, all of them].

        Raises NoRows when the method answers for the job as a whole.
        """
        return views.values(self)

    @property
    def base_values(self) -> NDArray[Any]:
        """The output without the row, float64 [rows]: of a method that is complete, `values` add up from here to the output."""
        return self.baseline_output

    @property
    def data(self) -> NDArray[Any] | None:
        """The rows that were explained, shaped like `values`; None where this client has not sent them."""
        return views.data(self)

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the columns of `values`; None where they have none (pictures, series)."""
        return views.feature_names(self)

    def row_of(self, attribution: Attribution, row: int) -> NDArray[Any]:
        """One row's attribution in its own shape."""
        return own_part(self.attributions[attribution.input][row], attribution.shape)

    def row(self, number: int) -> ExplanationResult:
        """One row as a result of its own; `cost` stays that of the job."""
        return views.row(self, number)

    @classmethod
    def joined(cls, results: Iterable[ExplanationResult]) -> ExplanationResult:
        """One result of the rows of many, of one model by one method; the first says the job and the cost."""
        return views.joined(list(results))

    def of(self, given: list[Any] | None, index: list[Any] | None = None) -> ExplanationResult:
        """The same, with the rows that were sent."""
        return replace(self, given=given, index=index)

    def to_shap(self) -> Any:
        """A `shap.Explanation`, which shap's plots take. Raises ModuleNotFoundError where shap is not installed."""
        return views.to_shap(self)

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row per row, a column per feature. Raises ModuleNotFoundError where pandas is not installed."""
        return views.to_frame(self)

    def _repr_html_(self) -> str:
        return shown.html_of(self)


def read_result(blob: bytes) -> ExplanationResult:
    """A result from its safetensors form."""
    arrays = unpack(blob)
    result = Result.model_validate(json.loads(header(blob)["result"]), extra="ignore", strict=False)
    return ExplanationResult(
        result,
        _part(arrays, "attributions."),
        _part(arrays, "standard_error."),
        arrays["instance_output"],
        arrays["baseline_output"],
        _part(arrays, "maps."),
    )


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
