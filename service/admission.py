"""May this job enter? What a request comes to, its estimate, and the record that is stored. Pure: no Redis, no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.effort import MOST
from explainery.contract.estimate import Estimate
from explainery.contract.job import DEFAULT_TENANT, Baseline, JobRequest, JobSpec, ModelRef, Priority
from service.baselines import Stored, no_backgrounds
from service.checked import Checked, LayersOf, check
from service.estimating import Asked, PastOf, budget_of, estimate_of, nothing
from service.sameness import content_of
from service.shelf import Shelf

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Admitted:
    """A job that may enter, and the arrays that travel with it."""

    spec: JobSpec
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Terms:
    """Who asks, under which id the request is logged, how many rows a job may have, and whose answers it may share.

    `dedupe`: see `content_of`. `device`: where workers compute.
    """

    tenant: str = DEFAULT_TENANT
    request_id: str | None = None
    max_rows: int = 4096
    dedupe: str = "off"
    device: str = "cpu"
    max_evaluations: int = 0
    """Evaluations that a job may cost; 0: any number."""


def admit(
    request: JobRequest,
    shelf: Shelf,
    terms: Terms,
    *,
    job_id: str,
    layers_of: LayersOf = lambda digest: None,
    past_of: PastOf = nothing,
    stored: Stored = no_backgrounds,
) -> Admitted:
    """Check a request against what is on offer. Raises a subclass of RequestRefused that says what to change."""
    checked = check(request, shelf, terms.max_rows, layers_of, stored)
    estimate = estimate_of(_asked(checked, request.priority, shelf, terms), past_of)
    spec = _record(job_id, request, terms, checked, estimate)
    content = content_of(spec, checked.arrays, checked.choice.spec, terms.dedupe)
    return Admitted(spec.model_copy(update={"content": content}), checked.arrays)


def _asked(checked: Checked, priority: Priority, shelf: Shelf, terms: Terms) -> Asked:
    """What the cost depends on."""
    return Asked(
        entry=checked.entry,
        choice=checked.choice,
        rows=checked.rows,
        targets=checked.target,
        backgrounds=backgrounds_of(checked.baseline, checked.backgrounds),
        around=around_of(checked.baseline, checked.backgrounds),
        priority=priority,
        device=terms.device,
        checks=tuple((shelf.checks[order.check], order.params) for order in checked.quality),
        tenant=terms.tenant,
    )


def backgrounds_of(baseline: Baseline, arrays: Mapping[str, NDArray[Any]]) -> int | None:
    """How many baselines each row has; None where only a worker can tell."""
    if baseline.kind != "background":
        return 1
    fewer = [limit for limit in (baseline.neighbours, baseline.summarise) if limit is not None]
    size = _size(arrays)
    return None if size is None else min([size, *fewer])


def around_of(baseline: Baseline, arrays: Mapping[str, NDArray[Any]]) -> int | None:
    """Of how many baselines the baseline's output is the mean: all, also where only neighbours stand for what is absent."""
    return backgrounds_of(baseline, arrays) if baseline.neighbours is None else _size(arrays)


def _size(arrays: Mapping[str, NDArray[Any]]) -> int | None:
    return max((len(array) for name, array in arrays.items() if name.startswith("background/")), default=None)


def _record(job_id: str, request: JobRequest, terms: Terms, checked: Checked, estimate: Estimate) -> JobSpec:
    """What is stored of the job beside its arrays."""
    entry, choice = checked.entry, checked.choice
    return JobSpec(
        id=job_id,
        model=ModelRef(name=entry.name, version=str(entry.version), digest=entry.digest),
        method=choice.spec.name,
        method_requested=request.method,
        method_reason=choice.reason,
        params=choice.params,
        rows=checked.rows.count,
        target=checked.target,
        baseline=checked.baseline,
        encodings=checked.rows.encodings,
        seed=request.seed,
        decision_id=request.decision_id,
        deadline_s=request.deadline_s,
        budget=budget_of(request.budget, choice.spec, estimate, terms.max_evaluations),
        priority=request.priority,
        request_id=terms.request_id,
        tenant=terms.tenant,
        reasons=request.reasons,
        estimate=estimate,
        quality=checked.quality,
        effort=max(1, min(estimate.expected, MOST)),
    )
