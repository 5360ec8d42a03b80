"""The OpenAPI 3.1 document: APIFlask lists the routes, the contract's models describe what they take and give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from explainery.contract.batches import Batch, BatchRequest, FileObject
from explainery.contract.catalogue import CheckSpec, MethodSpec, ModelEntry
from explainery.contract.comparison import ComparisonRequest
from explainery.contract.job import BackgroundRequest, Job, JobRequest, JobState, RefineRequest
from explainery.contract.layers import LayerSpec
from explainery.contract.result import Result
from explainery.contract.webhooks import Delivery, Webhook, WebhookRequest
from service.examples import body_examples, path_example
from service.links import links_of
from service.statuses import CALLERS, PHRASES, refusals

REF = "#/components/schemas/"
MODELS: tuple[tuple[type[BaseModel], Any], ...] = (
    (JobRequest, "validation"),
    (ComparisonRequest, "validation"),
    (RefineRequest, "validation"),
    (BackgroundRequest, "validation"),
    (Job, "serialization"),
    (Result, "serialization"),
    (MethodSpec, "serialization"),
    (CheckSpec, "serialization"),
    (ModelEntry, "serialization"),
    (LayerSpec, "serialization"),
    (WebhookRequest, "validation"),
    (Webhook, "serialization"),
    (Delivery, "serialization"),
    (BatchRequest, "validation"),
    (Batch, "serialization"),
    (FileObject, "serialization"),
)
TEXT = {"type": "string"}
NULL_OR_TEXT = {"type": ["string", "null"]}
TRUTH = {"type": "boolean"}
NUMBERS = {"type": "array", "items": {"type": "number"}}


def _text(shortest: int, longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": shortest, "maxLength": longest}


PREFER = {
    "name": "Prefer",
    "in": "header",
    "schema": TEXT,
    "description": "`wait=N`: hold the answer until the job has ended, at most N seconds. `respond-async`: answer at once.",
}
SYNC_PREFER = {
    **PREFER,
    "description": "`respond-async`: answer 202 and the job. `wait=N`: wait at most N seconds. Else wait for the answer.",
}
SUBMITTED: list[dict[str, Any]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "pattern": r'^([!#-+\--:<-\[\]-~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$'},
        "description": "One string. The same key and the same request again: the first job, for 24 hours. Another one: 422.",
    },
    {
        "name": "Cancel-After",
        "in": "header",
        "schema": {"type": "string", "pattern": r"^(\d{1,6}[hH])?(\d{1,8}[mM])?(\d{1,9}(\.\d{1,3})?[sS]?)?$", "minLength": 1},
        "description": "Seconds, or like `90s`, `5m`, `1h30m`: the job is canceled unless it has ended by then.",
    },
]
"""Headers of every operation that makes a job."""
IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": TEXT, "description": "The ETag of the job as it is known."}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string", "pattern": r"^\d{1,19}-\d{1,19}$"},
    "description": "The `id` of the last event that came: go on behind it.",
}
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "submit_explanation": [PREFER, *SUBMITTED],
    "refine_explanation": [PREFER, *SUBMITTED],
    "submit_comparison": [PREFER],
    "get_comparison": [PREFER],
    "get_explanation": [PREFER, IF_NONE_MATCH],
    "get_figure": [
        {"name": "row", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0}},
        {"name": "input", "in": "query", "schema": _text(1, 256), "description": "Of a model with several inputs."},
        {"name": "layer", "in": "query", "schema": _text(1, 512), "description": "Of a method that looks at several layers."},
        {"name": "head", "in": "query", "schema": {"type": "integer", "minimum": 0}, "description": "Of attention: one head."},
    ],
    "stream_explanation_events": [LAST_EVENT_ID],
    "stream_events": [LAST_EVENT_ID],
    "list_deliveries": [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}},
    ],
    "list_files": [
        {"name": "after", "in": "query", "schema": TEXT, "description": "The last id of the page before."},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}},
        {"name": "purpose", "in": "query", "schema": {"type": "string", "enum": ["batch", "batch_output"]}},
        {"name": "order", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"], "default": "desc"}},
    ],
    "create_batch": [SUBMITTED[0]],
    "list_batches": [
        {"name": "after", "in": "query", "schema": TEXT, "description": "The last id of the page before."},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
    ],
    "list_explanations": [
        {"name": "status", "in": "query", "schema": {"type": "string", "enum": [state.value for state in JobState]}},
        {"name": "model", "in": "query", "schema": _text(1, 128)},
        {"name": "decision_id", "in": "query", "schema": _text(1, 256)},
        {"name": "cursor", "in": "query", "schema": _text(0, 64), "description": "From the page before."},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}},
    ],
}
"""Parameters by operation, besides those of the path."""
PARAMETERS |= {name: [SYNC_PREFER, *SUBMITTED] for name in ("explain_v1", "predict_v1", "infer_v2", "explain_torchserve")}
SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`exk_…`), or a token of the identity provider. Asked for where EXPLAINERY_AUTH is on.",
    },
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "An API key.",
    },
}
"""How callers show who they are. Where EXPLAINERY_AUTH is off nobody is asked."""
OPEN_OPERATIONS = {"get_health", "get_readiness", "get_liveness_v1", "get_live_v2", "get_ready_v2"}
"""Those that never ask."""
BODIES = {
    "add_webhook": ("application/json", "WebhookRequest"),
    "upload_file": ("multipart/form-data", "NewFile"),
    "create_batch": ("application/json", "BatchRequest"),
    "submit_explanation": ("application/json", "JobRequest"),
    "estimate_explanation": ("application/json", "JobRequest"),
    "submit_comparison": ("application/json", "ComparisonRequest"),
    "refine_explanation": ("application/json", "RefineRequest"),
    "store_background": ("application/json", "BackgroundRequest"),
    "add_model": ("multipart/form-data", "NewModel"),
    "explain_v1": ("application/json", "V1Request"),
    "predict_v1": ("application/json", "V1Request"),
    "infer_v2": ("application/json", "V2Request"),
    "explain_torchserve": ("application/json", "TorchServeRow"),
}
"""Operation -> media type and schema of its body."""


def answers(schema: str | None, described: Mapping[int, str]) -> dict[Any, Any]:
    """An operation's good responses for `@doc(responses=...)`: status -> description, JSON of one schema (304 has no body)."""
    content = {} if schema is None else {"application/json": {"schema": {"$ref": REF + schema}}}
    return {status: {"description": text, "content": {} if status == 304 else content} for status, text in described.items()}


def result_answers(json: str, *files: str) -> dict[Any, Any]:
    """The responses of the result route: JSON, and files as bytes."""
    content: dict[str, Any] = {json: {"schema": {"$ref": REF + "Result"}}}
    return {200: {"description": "The result.", "content": content | {file: {} for file in files}}}


def infer_answers(json: str, binary: str) -> dict[Any, Any]:
    """The responses of the Open Inference Protocol: JSON, or the JSON object with tensors as bytes after it."""
    content: dict[str, Any] = {json: {"schema": {"$ref": REF + "V2Answer"}}, binary: {}}
    return {200: {"description": "The answer.", "content": content}, 202: {"description": "Accepted.", "content": {}}}


def content_answers() -> dict[Any, Any]:
    """The responses of a file's content: its bytes."""
    return {200: {"description": "The bytes.", "content": {"application/octet-stream": {}}}}


def stream_answers() -> dict[Any, Any]:
    """The responses of event streams."""
    content: dict[str, Any] = {"text/event-stream": {"schema": TEXT}}
    return {200: {"description": "Events as they come.", "content": content}, 204: {"description": "Nothing will come."}}


def figure_answers(forms: Mapping[str, str]) -> dict[Any, Any]:
    """The responses of the figure route: a form each. `forms`: suffix -> media type."""
    content: dict[str, Any] = {media_type: {} for media_type in forms.values()}
    content["application/json"] = {"schema": {"$ref": REF + "Figure"}}
    return {200: {"description": "The figure.", "content": content}, 304: {"description": "Not changed.", "content": {}}}


def document(spec: Any) -> Any:
    """Complete APIFlask's document: schemas, bodies, headers, and the one problem shape of every error."""
    _, described = models_json_schema(list(MODELS), ref_template=REF + "{model}")
    schemas = {**described["$defs"], **_own_schemas()}
    _as_the_wire_writes(schemas)
    spec["tags"] = [{"name": name} for name in dict.fromkeys(tag["name"] for tag in spec["tags"])]
    spec["components"] = {"schemas": schemas, "responses": {"Problem": _problem_response()}, "securitySchemes": SCHEMES}
    spec["security"] = [{}, *({name: []} for name in SCHEMES)]
    for path, verb, operation in ((path, *each) for path, verbs in spec["paths"].items() for each in verbs.items()):
        if "operationId" not in operation:
            continue
        name = operation["operationId"]
        operation["operationId"] = name + "_of_version" * ("{version}" in path) + "_by_put" * (verb == "put")
        operation.setdefault("parameters", []).extend(PARAMETERS.get(name, ()))
        _show_paths(name, operation)
        operation["responses"] = {code: answer for code, answer in operation["responses"].items() if int(code) < 400}
        for answer in operation["responses"].values() if links_of(name) else ():
            answer["links"] = links_of(name)
        operation["responses"] |= _refusals(name)
        if name in OPEN_OPERATIONS:
            operation["security"] = []
        if name in BODIES:
            media_type, schema = BODIES[name]
            examples = {"examples": body_examples(name)} if body_examples(name) else {}
            content = {media_type: {"schema": {"$ref": REF + schema}, **examples}}
            operation["requestBody"] = {"required": True, "content": content}
    return spec


def _as_the_wire_writes(schemas: dict[str, Any]) -> None:
    """Add what a job and a result gain on their way out."""
    links = dict.fromkeys(("self", "result", "cancel", "events"), TEXT) | {"partial": NULL_OR_TEXT}
    schemas["Job"]["properties"]["links"] = {"type": "object", "properties": links}
    about = dict.fromkeys(("self", "deliveries", "ping"), TEXT)
    schemas["Webhook"]["properties"]["links"] = {"type": "object", "properties": about}
    webhook = schemas["Webhook"]
    schemas["NewWebhook"] = {
        **webhook,
        "title": "NewWebhook",
        "properties": {**webhook["properties"], "secret": TEXT, "public_key": TEXT},
    }
    schemas["Attribution"]["properties"]["data"] = {**NUMBERS, "description": "Row-major, `shape` says how."}
    schemas["MapInfo"]["properties"]["data"] = {**NUMBERS, "description": "Row-major, `shape` says how."}
    schemas["Attribution"]["properties"]["standard_error"] = {"anyOf": [NUMBERS, {"type": "null"}]}
    schemas["ModelEntry"]["properties"]["version"] = TEXT
    schemas["ModelEntry"]["properties"].pop("name")
    schemas["LayerSpec"]["properties"] |= {"share": {"type": "number"}, "methods": _list(TEXT)}
    schemas["MapInfo"]["properties"]["data"] = {**NUMBERS, "description": "Row-major, `shape` says how."}
    schemas["ModelEntry"]["required"].remove("name")


def _own_schemas() -> dict[str, Any]:
    """Schemas of answers that wrap contract objects."""
    return {
        "Problem": _object(
            {
                **dict.fromkeys(("type", "title", "detail", "instance", "code", "error"), TEXT),
                "status": {"type": "integer"},
                "retryable": TRUTH,
                "job": TEXT,
                "errors": _list(_object({"loc": TEXT, "msg": TEXT})),
                "limit": {"type": "integer"},
                "unit": TEXT,
                "state": TEXT,
                "job_error": {"type": ["object", "null"]},
                "violated-policies": _list(TEXT),
                "estimate": {"$ref": REF + "Estimate"},
            }
        ),
        "Estimated": _object(
            {
                "model": {"$ref": REF + "ModelRef"},
                "method": TEXT,
                "params": {"type": "object"},
                "rows": {"type": "integer"},
                "estimate": {"$ref": REF + "Estimate"},
                "over_budget": {"type": ["string", "null"]},
            }
        ),
        "Comparison": _object(
            {
                **dict.fromkeys(("id", "status", "tenant"), TEXT),
                "variants": _list(_object({"label": TEXT, "job": {"$ref": REF + "Job"}})),
                "links": _object(dict.fromkeys(("self", "result", "cancel"), TEXT)),
            }
        ),
        "ComparisonResult": _comparison_result(),
        "JobPage": _object({"jobs": _list({"$ref": REF + "Job"}), "cursor": {"type": ["string", "null"]}}),
        "Partial": _object(
            {
                **dict.fromkeys(("id", "method", "value_function"), TEXT),
                "params": {"type": "object"},
                **{name: {"type": "integer"} for name in ("row", "rows_done", "evaluations")},
                "explanation": {"$ref": REF + "Explanation"},
                "notes": _list(TEXT),
            }
        ),
        **_batch_schemas(),
        "WebhookList": _object({"webhooks": _list({"$ref": REF + "Webhook"})}),
        "DeliveryList": _object({"deliveries": _list({"$ref": REF + "Delivery"})}),
        "Background": _object({"id": TEXT, "rows": {"type": "integer"}, "shapes": {"type": "object"}}),
        "BackgroundList": _object({"backgrounds": _list(TEXT)}),
        "MethodList": _object({"methods": _list({"$ref": REF + "MethodSpec"})}),
        "CheckList": _object({"checks": _list({"$ref": REF + "CheckSpec"})}),
        "Model": _object({"name": TEXT, "versions": _list({"$ref": REF + "ModelEntry"}), "ready": TRUTH}),
        "Layers": _object({**dict.fromkeys(("name", "version", "digest"), TEXT), "layers": _list({"$ref": REF + "LayerSpec"})}),
        "ModelList": _object({"models": _list({"$ref": REF + "Model"})}),
        "NewModel": {
            **_object({"name": TEXT, "version": TEXT, "factory": TEXT, "file": _list({"type": "string", "format": "binary"})}),
            "required": ["name", "file"],
        },
        "AddedModel": _object({"name": TEXT, "version": TEXT, "left": _list(TEXT)}),
        "Figure": _object(
            {
                **dict.fromkeys(("kind", "title", "reading", "html"), TEXT),
                "notes": _list(TEXT),
                "table": _object({"columns": _list(TEXT), "rows": _list(_list({}))}),
                "spec": {"type": "object", "description": "A Vega-Lite 5 spec that needs nothing from elsewhere."},
            }
        ),
        **_protocol_schemas(),
        "Health": _object({"status": TEXT, "workers": {"type": "integer"}}),
    }


def _batch_schemas() -> dict[str, Any]:
    """Schemas of files and batches."""
    pages = {"object": TEXT, "first_id": NULL_OR_TEXT, "last_id": NULL_OR_TEXT, "has_more": TRUTH}
    new = {"purpose": {"type": "string", "enum": ["batch"]}, "file": {"type": "string", "format": "binary"}}
    number, free = {"type": "number"}, {"type": "object"}
    feature = {
        "feature": TEXT,
        **dict.fromkeys(("mean_absolute", "mean", "min", "max"), number),
        "quantiles": {"type": "object", "additionalProperties": number},
        "direction": {
            "type": ["number", "null"],
            "description": "Rank correlation of value and attribution.",
        },
    }
    count = {"type": "integer"}
    group = {
        "model": free,
        "method": TEXT,
        "target": free,
        "input": TEXT,
        "rows": count,
        "sampled": count,
        "features": _list(_object(feature)),
    }
    summary = {"batch_id": TEXT, "status": TEXT, "complete": TRUTH, "rows": count, "left_out": count}
    return {
        "NewFile": {**_object(new), "required": ["purpose", "file"]},
        "FileList": _object({**pages, "data": _list({"$ref": REF + "FileObject"})}),
        "DeletedFile": _object({"id": TEXT, "object": TEXT, "deleted": TRUTH}),
        "BatchList": _object({**pages, "data": _list({"$ref": REF + "Batch"})}),
        "BatchSummary": _object({**summary, "groups": _list(_object(group))}),
    }


def _comparison_result() -> dict[str, Any]:
    """The schema of a comparison's result."""
    figures = ("rank_correlation", "top_overlap", "sign_agreement")
    figure, free = {"type": ["number", "null"]}, {"type": "object"}
    agreement = _object(dict.fromkeys(figures, figure))
    place = {
        "row": {"type": "integer"},
        "input": TEXT,
        "index": _list({"type": "integer"}),
        "feature": {"type": ["string", "null"]},
    }
    pair = {
        "variants": _list({"type": "integer"}),
        "labels": _list(TEXT),
        "comparable": TRUTH,
        "reason": {"type": ["string", "null"]},
        "mean": agreement,
        "rows": _list(agreement),
        "worst": _list(_object({**place, "values": NUMBERS, "shares": NUMBERS})),
    }
    variant = {
        **dict.fromkeys(("label", "job", "method", "value_function"), TEXT),
        **dict.fromkeys(("model", "params", "verdicts", "mean", "cost"), free),
        "quality": _list({"$ref": REF + "Quality"}),
    }
    return _object({"id": TEXT, "top": {"type": "integer"}, "variants": _list(_object(variant)), "pairs": _list(_object(pair))})


def _protocol_schemas() -> dict[str, Any]:
    """Schemas of what the synchronous protocols take and give."""
    free, rows = {"type": "object"}, _list({})
    tensor = {"name": TEXT, "datatype": TEXT, "shape": _list({"type": "integer"}), "data": rows, "parameters": free}
    attribution = {
        "baselineOutputValue": {"type": "number"},
        "instanceOutputValue": {"type": "number"},
        "featureAttributions": free,
        "outputIndex": _list({"type": "integer"}),
        "outputDisplayName": {"type": ["string", "null"]},
        "approximationError": {"type": ["number", "null"]},
        "outputName": TEXT,
        "featureNames": free,
    }
    explanation = _object(
        {"attributions": _list(_object(attribution)), "quality": {"$ref": REF + "Quality"}, "reasons": _list(free)}
    )
    predictions = {"predictions": rows, "deployedModelId": TEXT}
    described = {"inputs": _list(_object(tensor)), "outputs": _list(_object(tensor))}
    return {
        "V1Request": _object(
            {
                "instances": rows,
                "inputs": {"type": ["array", "object"]},
                "parameters": {"type": "object", "description": "Fields of JobRequest, and the method's own parameters."},
                "explanation_spec_override": {"type": "object", "description": "As Vertex AI has it."},
            }
        ),
        "V1Explanations": _object({**predictions, "explanations": _list(explanation)}),
        "V1Predictions": _object(predictions),
        "V2Server": _object({"name": TEXT, "version": TEXT, "extensions": _list(TEXT)}),
        "V2Health": _object({"live": TRUTH, "ready": TRUTH}),
        "V2Ready": _object({"name": TEXT, "ready": TRUTH}),
        "V2Model": _object({"name": TEXT, "versions": _list(TEXT), "platform": TEXT, **described}),
        "V2Request": _object({"id": TEXT, "parameters": free, **described}),
        "V2Answer": _object(
            {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "parameters": free, "outputs": described["outputs"]}
        ),
        "TorchServeRow": {"description": 'A row, as the model takes it; or {"data": row, "target": index}.'},
        "TorchServeAttributions": {"description": "Attributions shaped like the row."},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _show_paths(operation: str, described: dict[str, Any]) -> None:
    """Give the parameters of the path an example."""
    for parameter in described["parameters"]:
        example = path_example(operation, parameter["name"]) if parameter["in"] == "path" else None
        if example is not None:
            parameter["example"] = example


def _refusals(operation: str) -> dict[Any, Any]:
    """The errors that an operation answers with; where nobody has listed them, any."""
    statuses = refusals(operation)
    if statuses is None:
        return {"default": {"$ref": "#/components/responses/Problem"}}
    known = sorted({*statuses, *(() if operation in OPEN_OPERATIONS else CALLERS)})
    return {str(status): {**_problem_response(), "description": PHRASES[status]} for status in known}


def _problem_response() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": REF + "Problem"}}}
    return {"description": "What went wrong, in the one shape of every error (RFC 9457).", "content": content}
