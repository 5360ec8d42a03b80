"""What operations answer when all is well, for `@doc(responses=...)`; `refusals.py` has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.openapi.words import TEXT, ref

Answers = dict[Any, Any]
"""Status -> its description and content."""

JSON = "application/json"


def answers(schema: str | None, described: Mapping[int, str]) -> Answers:
    """An operation's good responses: status -> description, JSON of one schema (304 has no body)."""
    content = {} if schema is None else {JSON: {"schema": ref(schema)}}
    return {status: {"description": text, "content": {} if status == 304 else content} for status, text in described.items()}


def result_answers(json: str, *files: str) -> Answers:
    """The responses of the result route: JSON, and files as bytes."""
    content: dict[str, Any] = {json: {"schema": ref("Result")}}
    return {200: {"description": "The result.", "content": content | {file: {} for file in files}}}


def infer_answers(json: str, binary: str) -> Answers:
    """The responses of the Open Inference Protocol: JSON, or the JSON object with tensors as bytes after it."""
    content: dict[str, Any] = {json: {"schema": ref("V2Answer")}, binary: {}}
    return {200: {"description": "The answer.", "content": content}, 202: {"description": "Accepted.", "content": {}}}


def content_answers() -> Answers:
    """The responses of a file's content: its bytes, or some of them."""
    content: dict[str, Any] = {"application/octet-stream": {}}
    return {200: {"description": "The bytes.", "content": content}, 206: {"description": "Some of them.", "content": content}}


def stream_answers() -> Answers:
    """The responses of event streams."""
    content: dict[str, Any] = {"text/event-stream": {"schema": TEXT}}
    return {200: {"description": "Events as they come.", "content": content}, 204: {"description": "Nothing will come."}}


def figure_answers(forms: Mapping[str, str]) -> Answers:
    """The responses of the figure route: a form each. `forms`: suffix -> media type."""
    content: dict[str, Any] = {media_type: {} for media_type in forms.values()}
    content[JSON] = {"schema": ref("Figure")}
    return {200: {"description": "The figure.", "content": content}, 304: {"description": "Not changed.", "content": {}}}
