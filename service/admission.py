"""May this job enter? A request and what the workers offer -> what is stored. Pure: no Redis, no HTTP.

Everything that the card or the catalogue can tell is checked here, so that it does not fail later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.catalogue import MethodSpec
from explainery.contract.effort import MOST
from explainery.contract.errors import InvalidInput
from explainery.contract.job import DEFAULT_TENANT, Baseline, JobRequest, JobSpec, ModelRef
from explainery.contract.layers import AUTO, LayerSpec, chosen
from explainery.contract.model_card import ModelCard
from explainery.contract.tables import check_table
from service.baselines import Stored, no_backgrounds, read_baseline
from service.choice import check_method, check_sets, choose_method
from service.estimating import Asked, PastOf, estimate_of, nothing
from service.faults import fault
from service.inputs import read_tensors
from service.instances import read_instances
from service.need import check_room
from service.quality import read_quality
from service.reasons import check_reasons
from service.rows import Rows
from service.sameness import content_of
from service.shelf import Shelf
from service.targets import read_target
from service.value_functions import check_value_function

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


LayersOf = Callable[[str], "Sequence[LayerSpec] | None"]
"""A model's layers by its digest; None while no worker has looked."""


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
    entry = shelf.usable(request.model)
    check_method(request, entry, shelf)
    rows = _rows(request, entry.card, terms.max_rows)
    check_room(rows, shelf.offer.room_bytes)
    choice = choose_method(request, entry, shelf, rows.shapes)
    check_layer(choice.spec, choice.params, entry.digest, layers_of)
    check_sets(choice, rows.count)
    check_table(choice.spec, choice.params, entry.card, rows.count)
    quality = read_quality(request.quality, choice.spec, choice.params, entry, shelf)
    check_reasons(request.reasons, choice.spec, entry.card)
    target = read_target(request.target, entry.card, rows.count)
    baseline, baseline_arrays = read_baseline(request.baseline, entry.card, rows, terms.max_rows, stored)
    check_value_function(choice.spec, baseline)
    backgrounds, around = _backgrounds(baseline, baseline_arrays)
    checks = tuple((shelf.checks[each.check], each.params) for each in quality)
    asked = Asked(entry, choice, rows, target, backgrounds, request.priority, terms.device, checks, terms.tenant, around)
    estimate = estimate_of(asked, past_of)
    spec = JobSpec(
        id=job_id,
        model=ModelRef(name=entry.name, version=str(entry.version), digest=entry.digest),
        method=choice.spec.name,
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
        budget=request.budget,
        priority=request.priority,
        request_id=terms.request_id,
        tenant=terms.tenant,
        reasons=request.reasons,
        estimate=estimate,
        quality=quality,
        effort=max(1, min(estimate.expected, MOST)),
    )
    arrays = {**rows.arrays, **baseline_arrays}
    return Admitted(spec.model_copy(update={"content": content_of(spec, arrays, choice.spec, terms.dedupe)}), arrays)


def _backgrounds(baseline: Baseline, arrays: dict[str, NDArray[Any]]) -> tuple[int | None, int | None]:
    """How many baselines each row has, None where only a worker can tell; and of how many the baseline's output is the mean."""
    if baseline.kind != "background":
        return 1, 1
    count = max((len(array) for name, array in arrays.items() if name.startswith("background/")), default=None)
    fewer = [limit for limit in (baseline.neighbours, baseline.summarise) if limit is not None]
    width = None if count is None else min([count, *fewer])
    return width, width if baseline.neighbours is None else count


def check_layer(method: MethodSpec, params: Mapping[str, Any], digest: str, layers_of: LayersOf) -> None:
    """Raise what `explainery.contract.layers.chosen` does, where a worker has said which layers there are."""
    asked = params.get("layer", AUTO)
    if method.layer is not None and asked is not None and (layers := layers_of(digest)):
        chosen(layers, asked, method.layer)


def _rows(request: JobRequest, card: ModelCard, max_rows: int) -> Rows:
    if (request.inputs is None) == (request.instances is None):
        raise fault(InvalidInput, "inputs", "or instances must be given, and not both")
    if request.inputs is not None:
        return read_tensors(request.inputs, card, max_rows)
    return read_instances(request.instances or [], card, max_rows)
