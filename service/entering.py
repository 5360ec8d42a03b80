"""A job on its way in: what all routes that submit one have in common."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from explainery.contract.job import JobRequest, JobSpec
from explainery.contract.tensors import pack
from explainery.store.ids import new_job_id
from service.admission import Admitted, Terms, admit
from service.estimating import check_cost
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
    """Check a request by the current request's tenant and id. Raises what `admit` raises, OverBudget."""
    job_id = new_job_id()
    admitted = admitted_now(context, asked, job_id)
    check_cost(admitted.spec, context.settings.max_evaluations)
    g.job_id = job_id
    return Entry(context, admitted.spec, pack(admitted.arrays), asked.fresh)


def admitted_now(context: Parts, asked: JobRequest, job_id: str) -> Admitted:
    """The job as it would enter, with its estimate, whatever that is. Raises what `admit` raises."""
    tenant = read_tenant(request.headers.get(HEADER))
    shelf = context.shelf()
    terms = Terms(tenant, g.request_id, context.settings.max_rows, context.settings.dedupe, context.catalogue.device)
    return admit(asked, shelf, terms, job_id=job_id, layers_of=context.layers.find, past_of=context.runs.past)
