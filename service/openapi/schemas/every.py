"""Every schema of the document, by name."""

from __future__ import annotations

from service.openapi.schemas.batches import BATCHES
from service.openapi.schemas.catalogue import CATALOGUE
from service.openapi.schemas.comparisons import COMPARISONS
from service.openapi.schemas.contract import contract_schemas
from service.openapi.schemas.jobs import JOBS
from service.openapi.schemas.problem import PROBLEM
from service.openapi.schemas.protocols import PROTOCOLS
from service.openapi.schemas.webhooks import WEBHOOKS
from service.openapi.words import Schema


def every_schema() -> dict[str, Schema]:
    """The contract's, and those of what wraps contract objects."""
    wrapped = PROBLEM | JOBS | COMPARISONS | CATALOGUE | BATCHES | WEBHOOKS | PROTOCOLS
    return {**contract_schemas(), **wrapped}
