"""A job on its way in: what all routes that submit one have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from flask import g, request

from explainery.contract.errors import BackgroundNotFound, InvalidBaseline
from explainery.contract.job import JobRequest, JobSpec
from explainery.contract.tensors import pack
from explainery.store.ids import new_job_id
from service.admission import Terms, admit
from service.faults import fault
from service.parts import Parts
from service.tenant import HEADER, read_tenant


@dataclass(frozen=True, eq=False)
class Entry:
    """A job that may enter, and has not yet."""

    context: Parts
    spec: JobSpec
    inputs: bytes
    fresh: bool

    def enter(self) -> bool:
        """Admit it and ring for a worker; say whether it has its answer already."""
        admission = self.context.jobs.admit(self.spec, self.inputs, fresh=self.fresh)
        self.context.bell.ring(admission.ring)
        return admission.answered


def prepared(context: Parts, asked: JobRequest) -> Entry:
    """Check a request by the current request's tenant and id. Raises what `admit` raises."""
    job_id = new_job_id()
    tenant = read_tenant(request.headers.get(HEADER))
    terms = Terms(tenant, g.request_id, context.settings.max_rows, context.settings.dedupe)
    stored = partial(_stored, context, tenant)
    admitted = admit(asked, context.shelf(), terms, job_id=job_id, layers_of=context.layers.find, stored=stored)
    g.job_id = job_id
    return Entry(context, admitted.spec, pack(admitted.arrays), asked.fresh)


def _stored(context: Parts, tenant: str, background_id: str) -> bytes:
    try:
        return context.backgrounds.get(tenant, background_id)
    except BackgroundNotFound:
        message = "names no background that is stored; store it again with POST /v1/backgrounds"
        raise fault(InvalidBaseline, "baseline.background", message) from None
