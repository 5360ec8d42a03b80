"""The OpenAPI 3.1 document: APIFlask lists the routes, the contract's models describe what they take and give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from explainery.contract.catalogue import MethodSpec, ModelEntry
from explainery.contract.job import Job, JobRequest, JobState
from explainery.contract.layers import LayerSpec
from explainery.contract.result import Result

REF = "#/components/schemas/"
MODELS: tuple[tuple[type[BaseModel], Any], ...] = (
    (JobRequest, "validation"),
    (Job, "serialization"),
    (Result, "serialization"),
    (MethodSpec, "serialization"),
    (ModelEntry, "serialization"),
    (LayerSpec, "serialization"),
)
TEXT = {"type": "string"}
NUMBERS = {"type": "array", "items": {"type": "number"}}

PREFER = {
    "name": "Prefer",
    "in": "header",
    "schema": TEXT,
    "description": "`wait=N`: hold the answer until the job has ended, at most N seconds. `respond-async`: answer at once.",
}
IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": TEXT, "description": "The ETag of the job as it is known."}
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "submit_explanation": [PREFER],
    "get_explanation": [PREFER, IF_NONE_MATCH],
    "get_figure": [
        {"name": "row", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0}},
        {"name": "input", "in": "query", "schema": TEXT, "description": "Of a model with several inputs."},
        {"name": "layer", "in": "query", "schema": TEXT, "description": "Of a method that looks at several layers."},
        {"name": "head", "in": "query", "schema": {"type": "integer", "minimum": 0}, "description": "Of attention: one head."},
    ],
    "list_explanations": [
        {"name": "status", "in": "query", "schema": {"type": "string", "enum": [state.value for state in JobState]}},
        {"name": "model", "in": "query", "schema": TEXT},
        {"name": "decision_id", "in": "query", "schema": TEXT},
        {"name": "cursor", "in": "query", "schema": TEXT, "description": "From the page before."},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}},
    ],
}
"""Parameters by operation, besides those of the path."""
BODIES = {"submit_explanation": ("application/json", "JobRequest"), "add_model": ("multipart/form-data", "NewModel")}
"""Operation -> media type and schema of its body."""


def answers(schema: str | None, described: Mapping[int, str]) -> dict[Any, Any]:
    """An operation's good responses for `@doc(responses=...)`: status -> description, JSON of one schema (304 has no body)."""
    content = {} if schema is None else {"application/json": {"schema": {"$ref": REF + schema}}}
    return {status: {"description": text, "content": {} if status == 304 else content} for status, text in described.items()}


def result_answers(json: str, *files: str) -> dict[Any, Any]:
    """The responses of the result route: JSON, and files as bytes."""
    content: dict[str, Any] = {json: {"schema": {"$ref": REF + "Result"}}}
    return {200: {"description": "The result.", "content": content | {file: {} for file in files}}}


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
    spec["components"] = {"schemas": schemas, "responses": {"Problem": _problem_response()}}
    for operation in (operation for path in spec["paths"].values() for operation in path.values()):
        if "operationId" not in operation:
            continue
        name = operation["operationId"]
        operation.setdefault("parameters", []).extend(PARAMETERS.get(name, ()))
        operation["responses"] = {code: answer for code, answer in operation["responses"].items() if int(code) < 400}
        operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
        if name in BODIES:
            media_type, schema = BODIES[name]
            content = {media_type: {"schema": {"$ref": REF + schema}}}
            operation["requestBody"] = {"required": True, "content": content}
    return spec


def _as_the_wire_writes(schemas: dict[str, Any]) -> None:
    """Add what a job and a result gain on their way out."""
    links = dict.fromkeys(("self", "result", "cancel"), TEXT) | {"events": {"type": ["string", "null"]}}
    schemas["Job"]["properties"]["links"] = {"type": "object", "properties": links}
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
                "retryable": {"type": "boolean"},
                "errors": _list(_object({"loc": TEXT, "msg": TEXT})),
                "limit": {"type": "integer"},
                "unit": TEXT,
                "state": TEXT,
                "job_error": {"type": ["object", "null"]},
            }
        ),
        "JobPage": _object({"jobs": _list({"$ref": REF + "Job"}), "cursor": {"type": ["string", "null"]}}),
        "MethodList": _object({"methods": _list({"$ref": REF + "MethodSpec"})}),
        "Model": _object({"name": TEXT, "versions": _list({"$ref": REF + "ModelEntry"})}),
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
        "Health": _object({"status": TEXT, "workers": {"type": "integer"}}),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _problem_response() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": REF + "Problem"}}}
    return {"description": "What went wrong, in the one shape of every error (RFC 9457).", "content": content}
