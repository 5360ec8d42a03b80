"""Each example of the document is sent to a real service, and answered with the status it names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import serving

from explainery import Client
from service.openapi.examples import BODIES, EXACT, SOME_JOB

MODELS = Path(__file__).parents[2] / "examples/models"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("examples"), MODELS) as running:
        yield running


@pytest.fixture(scope="module")
def operations(url: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Operation -> verb, path, description."""
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    return {
        operation["operationId"]: (verb.upper(), path, operation)
        for path, verbs in paths.items()
        for verb, operation in verbs.items()
    }


def addressed(path: str, operation: dict[str, Any]) -> str:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path" and "example" in parameter:
            path = path.replace("{" + parameter["name"] + "}", parameter["example"])
    return path


@pytest.mark.parametrize(("operation", "name"), [(operation, name) for operation, found in BODIES.items() for name in found])
def test_an_example_of_a_body_is_answered_as_it_says(operation: str, name: str, url: str, operations: dict[str, Any]) -> None:
    verb, path, described = operations[operation]
    ((media_type, content),) = described["requestBody"]["content"].items()
    example = content["examples"][name]
    assert media_type == "application/json"
    assert str(example["x-status"]) in described["responses"]
    path = addressed(path, described)
    if operation == "refine_explanation":  # of a job that there is
        with Client(url) as client:
            params = {"samples": 64, "tolerance": 0}
            job = client.submit(EXACT["model"], EXACT["instances"], "kernel_shap", params=params, wait_s=60)
        path = path.replace(SOME_JOB, job.id)
    if operation == "rotate_webhook_secret":
        with Client(url) as client:
            path = path.replace("{webhook_id}", client.add_webhook("https://hooks.example/explainery")["id"])
    body = example["value"]
    if operation == "create_batch":  # of a file that there is
        line = {"custom_id": "1", "method": "POST", "url": "/v1/explanations", "body": EXACT}
        with Client(url) as client:
            body = {**body, "input_file_id": client.create_file(io.BytesIO(json.dumps(line).encode()), name="rows.jsonl")["id"]}
    answer = httpx.request(verb, url + path, json=body, timeout=60)
    assert answer.status_code == example["x-status"], answer.text


def test_every_body_of_json_has_an_example(operations: dict[str, Any]) -> None:
    for name, (_, _, operation) in operations.items():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            assert content.get("examples") or media_type != "application/json", name


def test_reading_with_the_examples_of_a_path_is_answered_as_documented(url: str, operations: dict[str, Any]) -> None:
    asked = {name: each for name, each in operations.items() if each[0] == "GET" and name != "stream_events"}
    for name, (verb, path, operation) in asked.items():
        path = addressed(path, operation)
        if "{" in path:
            continue  # a digest or a webhook that there is none of
        answer = httpx.request(verb, url + path, timeout=60)
        assert str(answer.status_code) in operation["responses"], name
        assert answer.status_code == 200 or SOME_JOB in path or name == "get_layers", (name, answer.text)


def test_links_lead_to_operations_and_their_parameters(operations: dict[str, Any]) -> None:
    found = 0
    for _, _, operation in operations.values():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                _, path, target = operations[link["operationId"]]
                assert {parameter["name"] for parameter in target["parameters"]} >= set(link["parameters"])
                assert path.count("{") == len(link["parameters"])
                found += 1
    assert found >= 30


def test_every_refusal_is_a_problem(operations: dict[str, Any]) -> None:
    for name, (_, _, operation) in operations.items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}, (name, status)
                assert answer["description"], (name, status)
