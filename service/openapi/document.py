"""The whole document: APIFlask lists the routes, the files beside this one say the rest of each operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.openapi.access import OPEN_OPERATIONS, SCHEMES, ways_in
from service.openapi.bodies import body_of
from service.openapi.examples import path_example
from service.openapi.links import links_of
from service.openapi.parameters import PARAMETERS
from service.openapi.refusals import PROBLEM, refusals_of
from service.openapi.schemas.every import every_schema
from service.parts import parts


def document(spec: Any) -> Any:
    """Complete APIFlask's document: schemas, bodies, headers, and the one problem shape of every error."""
    spec["tags"] = [{"name": name} for name in dict.fromkeys(tag["name"] for tag in spec["tags"])]
    spec["components"] = {"schemas": every_schema(), "responses": {"Problem": PROBLEM}, "securitySchemes": SCHEMES}
    spec["security"] = ways_in(asked=bool(parts().settings.credentials))
    for path, verb, operation in _operations(spec):
        name = operation["operationId"]
        operation["operationId"] = name + "_of_version" * ("{version}" in path) + "_by_put" * (verb == "put")
        operation["parameters"] = [*_with_examples(name, operation.get("parameters", [])), *PARAMETERS.get(name, ())]
        operation["responses"] = _answers(name, operation["responses"]) | refusals_of(name)
        if name in OPEN_OPERATIONS:
            operation["security"] = []
        if (body := body_of(name)) is not None:
            operation["requestBody"] = body
    return spec


def _operations(spec: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, verb and operation, of all that have a name."""
    for path, verbs in spec["paths"].items():
        for verb, operation in verbs.items():
            if "operationId" in operation:
                yield path, verb, operation


def _with_examples(operation: str, parameters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The parameters of the path, with an example where there is one."""
    for parameter in parameters:
        example = path_example(operation, parameter["name"]) if parameter["in"] == "path" else None
        yield parameter if example is None else {**parameter, "example": example}


def _answers(operation: str, responses: dict[str, Any]) -> dict[str, Any]:
    """The good answers, and what one can go on with."""
    links = links_of(operation)
    good = {code: answer for code, answer in responses.items() if int(code) < 400}
    return {code: {**answer, "links": links} for code, answer in good.items()} if links else good
