"""Schemas of the contract's models, with what they gain on their way out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from explainery.contract.batches import Batch, BatchRequest, FileObject
from explainery.contract.catalogue import CheckSpec, MethodSpec, ModelEntry
from explainery.contract.comparison import ComparisonRequest
from explainery.contract.job import BackgroundRequest, Job, JobRequest, RefineRequest
from explainery.contract.layers import LayerSpec
from explainery.contract.result import Result
from explainery.contract.webhooks import Delivery, RotateRequest, Webhook, WebhookRequest
from service.openapi.words import NUMBER, NUMBERS, REF, TEXT, TEXT_OR_NULL, Schema, array, structure

TAKEN = (
    JobRequest,
    ComparisonRequest,
    RefineRequest,
    BackgroundRequest,
    WebhookRequest,
    RotateRequest,
    BatchRequest,
)
GIVEN = (Job, Result, MethodSpec, CheckSpec, ModelEntry, LayerSpec, Webhook, Delivery, Batch, FileObject)

ROW_MAJOR = {**NUMBERS, "description": "Row-major, `shape` says how."}
GAINED: dict[str, Schema] = {
    "Job": {"links": structure({**dict.fromkeys(("self", "result", "cancel", "events"), TEXT), "partial": TEXT_OR_NULL})},
    "Webhook": {"links": structure(dict.fromkeys(("self", "deliveries", "ping", "rotate_secret"), TEXT))},
    "Attribution": {"data": ROW_MAJOR, "standard_error": {"anyOf": [NUMBERS, {"type": "null"}]}},
    "MapInfo": {"data": ROW_MAJOR},
    "ModelEntry": {"version": TEXT},
    "LayerSpec": {"share": NUMBER, "methods": array(TEXT)},
}
"""Model -> properties that are other on the wire than in the contract, or are there only."""


def contract_schemas() -> dict[str, Schema]:
    """Every model of the contract that is sent, and those within them."""
    models: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in TAKEN]
    models += [(model, "serialization") for model in GIVEN]
    _, described = models_json_schema(models, ref_template=REF + "{model}")
    schemas: dict[str, Schema] = described["$defs"]
    for name, properties in GAINED.items():
        schemas[name]["properties"] |= properties
    entry, webhook = schemas["ModelEntry"], schemas["Webhook"]
    entry["properties"].pop("name")  # it is said once, of all versions
    entry["required"].remove("name")
    shown_once = {**webhook["properties"], "secret": TEXT, "public_key": TEXT}
    return {**schemas, "NewWebhook": {**webhook, "title": "NewWebhook", "properties": shown_once}}
