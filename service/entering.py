"""A job on its way in: what all routes that submit one have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import g, request
from pydantic import BaseModel

from explainery.contract.errors import BackgroundNotFound, InvalidBaseline
from explainery.contract.job import JobRequest, JobSpec
from explainery.contract.tensors import pack
from explainery.store.ids import new_job_id
from explainery.store.jobs import ANY, Once, Quota
from service import cancel_after, idempotency
from service.admission import Admitted, Terms, admit
from service.caller import caller_now, quota_now
from service.estimating import check_cost
from service.faults import fault
from service.parts import Parts
from service.tenant import tenant_now


@dataclass(eq=False)
class Entry:
    """A job that may enter, and has not yet. `repeats`: an earlier request of the same key has made it; `id` is that one's."""

    context: Parts
    id: str
    spec: JobSpec | None = None
    inputs: bytes = b""
    fresh: bool = False
    once: Once | None = None
    cancel_after_s: float | None = None
    repeats: bool = False
    quota: Quota = ANY

    def enter(self) -> bool:
        """Admit it and ring for a worker; say whether it has its answer already."""
        if self.spec is None:
            return False
        admission = self.context.jobs.admit(
            self.spec, self.inputs, fresh=self.fresh, once=self.once, cancel_after_s=self.cancel_after_s, quota=self.quota
        )
        self.context.bell.ring(admission.ring)
        if admission.repeated is not None:
            self.id, self.repeats = admission.repeated, True
        return admission.answered


def prepared(context: Parts, asked: JobRequest, *, part: int = 0) -> Entry:
    """Check a request by the current request's tenant, keys and id. Raises what `admit` raises, OverBudget.

    `part`: which of the jobs that the current request makes.
    """

    def checked(job_id: str) -> tuple[JobSpec, bytes]:
        admitted = admitted_now(context, asked, job_id)
        check_cost(admitted.spec, context.settings.max_evaluations)
        return admitted.spec, pack(admitted.arrays)

    return entry_of(context, asked, checked, part=part, fresh=asked.fresh)


def entry_of(
    context: Parts, asked: BaseModel, check: Callable[[str], tuple[JobSpec, bytes]], *, part: int = 0, fresh: bool
) -> Entry:
    """The job that `check` makes under a new id, with what the current request's headers say of it.

    A request that repeats an earlier one is not checked again: the model may be gone by now, and its job is there all the same.
    Raises InvalidIdempotencyKey and what `check` raises.
    """
    tenant = tenant_now()
    key = idempotency.read_key(request.headers.get(idempotency.HEADER))
    cancel_after_s = cancel_after.read_cancel_after(request.headers.get(cancel_after.HEADER))
    once = idempotency.once_of(key, tenant, f"{request.method} {request.path}", asked, part)
    if once is not None and (known := context.jobs.admitted_under(once)) is not None:
        g.job_id = known
        return Entry(context, known, repeats=True)
    job_id = new_job_id()
    spec, inputs = check(job_id)
    g.job_id = job_id
    return Entry(context, job_id, spec, inputs, fresh, once, cancel_after_s, quota=quota_now(context.backgrounds))


def admitted_now(context: Parts, asked: JobRequest, job_id: str) -> Admitted:
    """The job as it would enter, with its estimate, whatever that is. Raises what `admit` raises."""
    tenant = tenant_now()
    shelf = context.shelf()
    settings = context.settings
    device, most = context.catalogue.device, settings.max_evaluations
    terms = Terms(tenant, g.request_id, settings.max_rows, settings.dedupe, device, most)
    stored = partial(_stored, context, tenant)
    past_of = partial(context.runs.past, own=caller_now() is not None)
    return admit(asked, shelf, terms, job_id=job_id, layers_of=context.layers.find, past_of=past_of, stored=stored)


def _stored(context: Parts, tenant: str, background_id: str) -> bytes:
    try:
        return context.backgrounds.get(tenant, background_id)
    except BackgroundNotFound:
        message = "names no background that is stored; store it again with POST /v1/backgrounds"
        raise fault(InvalidBaseline, "baseline.background", message) from None
