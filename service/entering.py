"""A job on its way in: what all routes that submit one have in common."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from explainery.contract.job import JobRequest, JobSpec
from explainery.contract.tensors import pack
from explainery.store.ids import new_job_id
from service.admission import Terms, admit
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
    admitted = admit(asked, context.shelf(), terms, job_id=job_id, layers_of=context.layers.find)
    g.job_id = job_id
    return Entry(context, admitted.spec, pack(admitted.arrays), asked.fresh)
