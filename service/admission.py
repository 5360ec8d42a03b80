"""May this job enter? A request and what the workers offer -> what is stored. Pure: no Redis, no HTTP.

Everything that the card or the catalogue can tell is checked here, so that it does not fail later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InvalidInput
from explainery.contract.job import JobRequest, JobSpec, ModelRef
from explainery.contract.model_card import ModelCard
from service.baselines import read_baseline
from service.choice import check_method, choose_method
from service.faults import fault
from service.inputs import read_tensors
from service.instances import read_instances
from service.rows import Rows
from service.shelf import Shelf
from service.targets import read_target

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Admitted:
    """A job that may enter, and the arrays that travel with it."""

    spec: JobSpec
    arrays: dict[str, NDArray[Any]]


def admit(request: JobRequest, shelf: Shelf, *, max_rows: int, job_id: str, request_id: str | None = None) -> Admitted:
    """Check a request against what is on offer. Raises a subclass of RequestRefused that says what to change."""
    entry = shelf.usable(request.model)
    check_method(request, entry, shelf)
    rows = _rows(request, entry.card, max_rows)
    choice = choose_method(request, entry, shelf, rows.shapes)
    target = read_target(request.target, entry.card, rows.count)
    baseline, baseline_arrays = read_baseline(request.baseline, entry.card, rows, max_rows)
    spec = JobSpec(
        id=job_id,
        model=ModelRef(name=entry.name, version=str(entry.version), digest=entry.digest),
        method=choice.method,
        method_requested=request.method,
        method_reason=choice.reason,
        params=choice.params,
        rows=rows.count,
        target=target,
        baseline=baseline,
        encodings=rows.encodings,
        seed=request.seed,
        decision_id=request.decision_id,
        deadline_s=request.deadline_s,
        priority=request.priority,
        request_id=request_id,
    )
    return Admitted(spec, {**rows.arrays, **baseline_arrays})


def _rows(request: JobRequest, card: ModelCard, max_rows: int) -> Rows:
    if (request.inputs is None) == (request.instances is None):
        raise fault(InvalidInput, "inputs", "or instances must be given, and not both")
    if request.inputs is not None:
        return read_tensors(request.inputs, card, max_rows)
    return read_instances(request.instances or [], card, max_rows)
