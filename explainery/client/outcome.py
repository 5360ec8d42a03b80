"""What comes back: a job, and an explanation with NumPy arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    """

    result: Result
    attributions: Arrays
    standard_errors: Arrays
    instance_output: NDArray[Any]
    baseline_output: NDArray[Any]
    maps: Arrays = field(default_factory=dict)

    @property
    def report(self) -> dict[str, Any] | None:
        """What a method found that answers for the job as a whole; its `maps` go with it."""
        return self.result.report

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """Per row: what was explained, the outputs and the quality figures."""
        return self.result.explanations

    def row_of(self, attribution: Attribution, row: int) -> NDArray[Any]:
        """One row's attribution in its own shape."""
        return own_part(self.attributions[attribution.input][row], attribution.shape)


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
