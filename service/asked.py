"""What other protocols call `parameters` -> a request of ours: our own fields by name, and beside them the method's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.contract.errors import RequestRefused
from explainery.contract.job import JobRequest
from service.faults import fault
from service.validation import validated

FIELDS = frozenset(JobRequest.model_fields) - {"model", "inputs", "instances", "params"}
"""Fields of a request that `parameters` may hold; all else that it holds is the method's."""


def request_of(model: str, parameters: Mapping[str, Any], **rows: Any) -> JobRequest:
    """The request. `rows`: `inputs` or `instances`. Raises RequestRefused.

    The method's parameters may also stand under `params`. A bare number as `baseline` is {"value": number}.
    """
    fields = {name: value for name, value in parameters.items() if name in FIELDS}
    own = {name: value for name, value in parameters.items() if name not in FIELDS and name != "params"}
    given = parameters.get("params", {})
    if not isinstance(given, dict):
        raise fault(RequestRefused, "parameters.params", "must be an object")
    baseline = fields.get("baseline")
    if isinstance(baseline, (int, float)) and not isinstance(baseline, bool):
        fields["baseline"] = {"value": baseline}
    return validated(JobRequest, {"model": model, **fields, "params": given | own, **rows})
