"""Beyond loopback the API starts only where somebody is at the door."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from explainery.contract.errors import SettingsInvalid
from explainery.exposure import check_exposure, is_loopback
from explainery.settings import Settings, load


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_on_loopback_nobody_need_be_asked(host: str):
    assert is_loopback(host)
    check_exposure(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "explainery.example.com", "localhost.example.com"])  # noqa: S104
def test_beyond_it_somebody_must_be(host: str):
    with pytest.raises(SettingsInvalid, match="EXPLAINERY_AUTH=keys"):
        check_exposure(Settings(host=host))
    for auth in ("keys", "oidc", "keys,oidc", "off-i-know"):
        check_exposure(Settings(host=host, auth=auth, oidc_issuer="https://id.example.com", oidc_audience="explainery"))


def test_answers_are_not_shared_between_tenants_that_show_who_they_are():
    shared = Settings(auth="keys", dedupe="all")
    with pytest.raises(SettingsInvalid, match="EXPLAINERY_DEDUPE"):
        check_exposure(shared)
    check_exposure(dataclasses.replace(shared, auth="off"))


def test_credentials_are_read_from_the_setting():
    assert load({"EXPLAINERY_AUTH": "keys,oidc"}).credentials == {"keys", "oidc"}
    assert load({}).credentials == load({"EXPLAINERY_AUTH": "off-i-know"}).credentials == frozenset()
    with pytest.raises(SettingsInvalid, match="EXPLAINERY_AUTH: must be one of"):
        load({"EXPLAINERY_AUTH": "on"})


def test_the_client_s_key_is_not_in_the_settings_text():
    assert "exk_" not in repr(Settings(api_key="exk_secret"))


@pytest.mark.parametrize("command", [["up"], ["serve"]])
def test_the_programs_refuse_to_start(command: list[str], tmp_path):
    environment = {**os.environ, "EXPLAINERY_HOST": "0.0.0.0", "EXPLAINERY_HOME": str(tmp_path)}  # noqa: S104
    program = [sys.executable, "-m", "explainery", *command]
    run = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, "EXPLAINERY_AUTH=keys" in run.stderr) == (2, True)


def test_gunicorn_refuses_too(tmp_path):
    environment = {**os.environ, "EXPLAINERY_HOST": "0.0.0.0", "EXPLAINERY_HOME": str(tmp_path), "EXPLAINERY_PORT": "1"}  # noqa: S104
    program = [sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_config", "service.wsgi:app"]
    run = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    assert "EXPLAINERY_AUTH=keys" in run.stderr
