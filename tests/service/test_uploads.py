"""`POST /v1/models`: off unless turned on, bounded, and never over a version that is there."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
from flask.testing import FlaskClient

from explainery.contract.model_card import parse_card
from explainery.settings import Settings
from service.app import create_app
from workers.repository import Repository

Ask = Callable[..., Any]


@pytest.fixture
def api(settings: Settings) -> FlaskClient:
    return create_app(dataclasses.replace(settings, model_uploads=True, max_upload_bytes=100_000)).test_client()


def linear(tmp_path: Path) -> bytes:
    return (repos.add_onnx_linear(tmp_path / "made", "m", np.ones((4, 2))) / "model.onnx").read_bytes()


def post(api: FlaskClient, files: dict[str, bytes], headers: dict[str, str] | None = None, **fields: str) -> Any:
    parts = [(io.BytesIO(content), name) for name, content in files.items()]
    return api.post("/v1/models", data={**fields, "file": parts}, content_type="multipart/form-data", headers=headers)


def test_it_is_off_by_default(settings: Settings, tmp_path: Path) -> None:
    answer = post(create_app(settings).test_client(), {"net.onnx": linear(tmp_path)}, name="net")
    assert (answer.status_code, answer.json["code"]) == (403, "uploads_off")
    assert "EXPLAINERY_MODEL_UPLOADS=1" in answer.json["detail"]
    assert list(Path(settings.models).iterdir()) == []


def test_a_model_is_added_and_can_be_found(api: FlaskClient, settings: Settings, tmp_path: Path) -> None:
    answer = post(api, {"net.onnx": linear(tmp_path)}, name="net")
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/models/net@1")
    assert (answer.json["name"], answer.json["version"]) == ("net", "1")
    assert any("labels" in each for each in answer.json["left"])
    (found,) = Repository(settings.models).scan()
    assert found.card is not None
    assert (found.name, found.version, found.card.score_output.columns) == ("net", 1, 2)


def test_a_card_comes_along(api: FlaskClient, settings: Settings, tmp_path: Path) -> None:
    card = f'title = "Mine"\nformat = "onnx"\nfile = "net.onnx"\n{repos.tensor_input("input", [4])}{repos.output(2)}'
    assert post(api, {"net.onnx": linear(tmp_path), "card.toml": card.encode()}, name="net").status_code == 201
    assert parse_card((Path(settings.models) / "net" / "1" / "card.toml").read_text()).title == "Mine"


def test_a_version_is_never_overwritten(api: FlaskClient, settings: Settings, tmp_path: Path) -> None:
    content = linear(tmp_path)
    assert post(api, {"net.onnx": content}, name="net", version="3").json["version"] == "3"
    before = sorted((path.name, path.read_bytes()) for path in (Path(settings.models) / "net" / "3").iterdir())
    answer = post(api, {"other.onnx": content}, name="net", version="3")
    assert (answer.status_code, answer.json["code"]) == (409, "version_exists")
    assert sorted((path.name, path.read_bytes()) for path in (Path(settings.models) / "net" / "3").iterdir()) == before
    assert post(api, {"net.onnx": content}, name="net").json["version"] == "4"


def test_it_is_bounded(api: FlaskClient, settings: Settings) -> None:
    answer = post(api, {"net.onnx": bytes(100_001)}, name="net")
    assert (answer.status_code, answer.json["code"], answer.json["limit"]) == (413, "payload_too_large", 100_000)
    assert list(Path(settings.models).iterdir()) == []


def test_its_bound_is_not_that_of_other_requests(settings: Settings, tmp_path: Path) -> None:
    api = create_app(dataclasses.replace(settings, model_uploads=True, max_body_bytes=100)).test_client()
    assert post(api, {"net.onnx": linear(tmp_path)}, name="net").status_code == 201


def test_a_page_of_another_site_cannot_send_one(api: FlaskClient, tmp_path: Path) -> None:
    files = {"net.onnx": linear(tmp_path)}
    answer = post(api, files, {"Origin": "https://evil.example"}, name="net")
    assert (answer.status_code, answer.json["code"]) == (403, "uploads_off")
    assert post(api, files, {"Origin": "http://localhost"}, name="net").status_code == 201


WEIGHTS = (2).to_bytes(8, "little") + b"{}"
STUB = f'title = "s"\nformat = "stub"\n{repos.tensor_input("input", [4])}{repos.output(1)}[stub]\nform = "linear"\n'
REFUSED: dict[str, tuple[dict[str, bytes], dict[str, str], str, str]] = {
    "no name": ({"net.onnx": b"x"}, {}, "invalid_request", "name is missing"),
    "no file": ({}, {"name": "net"}, "invalid_request", "file is missing"),
    "a version that is no number": ({"net.onnx": b"x"}, {"name": "net", "version": "1.5"}, "invalid_request", "whole number"),
    "a name that leads elsewhere": ({"net.onnx": b""}, {"name": "../net"}, "model_refused", "no readable ONNX"),
    "no ONNX": ({"net.onnx": b"\xff\xff"}, {"name": "net"}, "model_refused", "no readable ONNX"),
    "weights without a card": ({"w.safetensors": WEIGHTS}, {"name": "net"}, "model_refused", "send a card.toml"),
    "a pickle": ({"m.pt": b"x"}, {"name": "net"}, "model_refused", "is a pickle"),
    "two models": ({"a.onnx": b"", "b.onnx": b""}, {"name": "net"}, "model_refused", "Give one model file"),
    "a stub": ({"card.toml": STUB.encode()}, {"name": "net"}, "model_refused", "Give one model file"),
    "a broken card": ({"net.onnx": b"", "card.toml": b"title = "}, {"name": "net"}, "model_refused", "not TOML"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_leaves_nothing(api: FlaskClient, settings: Settings, what: str) -> None:
    files, fields, code, words = REFUSED[what]
    answer = post(api, files, **fields)
    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert words in answer.json["detail"]
    assert list(Path(settings.models).iterdir()) == []


def test_a_files_name_cannot_lead_elsewhere(api: FlaskClient, settings: Settings, tmp_path: Path) -> None:
    for name in ("../net.onnx", "a/net.onnx", "/net.onnx"):
        answer = post(api, {name: linear(tmp_path)}, name="net")
        assert (answer.status_code, answer.json.get("code")) == (422, "model_refused"), (name, answer.json)
    answer = post(api, {"net.onnx": linear(tmp_path)}, name="../net")
    assert (answer.status_code, answer.json["code"]) == (422, "model_refused")
    assert list(Path(settings.models).iterdir()) == []


def test_code_formats_need_leave(settings: Settings) -> None:
    card = f'title = "m"\nformat = "pt2"\nfile = "m.pt2"\n{repos.tensor_input("input", [4])}{repos.output(1)}'
    files = {"m.pt2": b"anything", "card.toml": card.encode()}
    for allowed, status in ((False, 422), (True, 201)):
        changed = dataclasses.replace(settings, model_uploads=True, allow_code_formats=allowed)
        assert post(create_app(changed).test_client(), files, name="net").status_code == status


def test_only_multipart_with_a_length(api: FlaskClient) -> None:
    answer = api.post("/v1/models", json={"name": "net"})
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    answer = api.post(
        "/v1/models", input_stream=io.BytesIO(b"--x--"), content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": None, "wsgi.input_terminated": True},
    )  # fmt: skip
    assert answer.status_code == 411
