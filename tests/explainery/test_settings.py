"""Settings: read once, all mistakes together, every one documented."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from explainery.contract.errors import SettingsInvalid
from explainery.settings import Settings, load, variable

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_defaults_apply_and_home_is_absolute():
    settings = load({})
    assert settings == Settings(home=Path("~/.explainery").expanduser())
    assert settings.models_url == str(settings.home / "models")
    assert load({"EXPLAINERY_HOME": "here"}).home == Path.cwd() / "here"


def test_all_mistakes_are_reported_at_once():
    mistakes = {
        "EXPLAINERY_PORT": "http",
        "EXPLAINERY_WORKERS": "0",
        "EXPLAINERY_LEASE_S": "soon",
        "EXPLAINERY_ALLOW_CODE_FORMATS": "yes",
        "EXPLAINERY_LOG_LEVEL": "loud",
        "EXPLAINERY_REDIS_URL_FILE": "/nowhere/at/all",
    }
    with pytest.raises(SettingsInvalid) as raised:
        load(mistakes)
    said = raised.value.detail
    assert "EXPLAINERY_PORT: must be a whole number" in said
    assert "EXPLAINERY_WORKERS: must be at least 1" in said
    assert "EXPLAINERY_LEASE_S: must be a number" in said
    assert "EXPLAINERY_ALLOW_CODE_FORMATS: must be 0 or 1" in said
    assert "EXPLAINERY_LOG_LEVEL: must be one of debug, info, warning, error" in said
    assert "EXPLAINERY_REDIS_URL: " in said


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", " 9000 ", 9000),
        ("lease_s", "2.5", 2.5),
        ("allow_code_formats", "1", True),
        ("factories", "mymodels.digits, other ,", ("mymodels.digits", "other")),
        ("models", "s3://bucket/models", "s3://bucket/models"),
    ],
)
def test_each_type_is_read(name: str, text: str, value: object, tmp_path: Path):
    assert getattr(load({variable(name): text}), name) == value
    secret = tmp_path / "secret"
    secret.write_text(text + "\n")
    assert getattr(load({variable(name) + "_FILE": str(secret)}), name) == value


def test_a_file_wins_over_the_variable(tmp_path: Path):
    secret = tmp_path / "url"
    secret.write_text("redis://from-file/0\n")
    both = {"EXPLAINERY_REDIS_URL": "redis://from-variable/0", "EXPLAINERY_REDIS_URL_FILE": str(secret)}
    assert load(both).redis_url == "redis://from-file/0"


def test_a_secret_is_not_in_the_complaint(tmp_path: Path):
    secret = tmp_path / "port"
    secret.write_text("hunter2")
    with pytest.raises(SettingsInvalid) as raised:
        load({"EXPLAINERY_PORT_FILE": str(secret)})
    assert "hunter2" not in raised.value.detail


@pytest.mark.parametrize("name", [entry.name for entry in fields(Settings)])
def test_every_setting_is_documented(name: str):
    assert f"`{variable(name)}`" in OPERATIONS.read_text(encoding="utf-8")


@pytest.mark.parametrize("entry", fields(Settings), ids=lambda entry: entry.name)
def test_every_setting_says_what_it_is(entry):
    assert entry.metadata["help"].endswith(".")
