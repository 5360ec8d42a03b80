"""Operators make keys and say what tenants may use, on a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from explainery.cli import exits
from explainery.cli.main import main
from explainery.contract.access import id_of
from explainery.settings import Settings
from explainery.store.access import KeyStore
from explainery.store.connection import connect
from explainery.supervisor.ports import free_port


@pytest.fixture
def run(settings: Settings) -> Callable[..., Result]:
    def invoke(*arguments: str, url: str = settings.redis_url) -> Result:
        environment = {"EXPLAINERY_HOME": str(settings.home), "EXPLAINERY_REDIS_URL": url}
        return CliRunner().invoke(main, arguments, env=environment)

    return invoke


def test_a_key_is_printed_alone_so_that_a_script_can_keep_it(run: Callable[..., Result], settings: Settings) -> None:
    made = run("keys", "create", "--name", "ci", "--tenant", "acme", "--role", "viewer")
    assert made.exit_code == exits.OK
    token = made.stdout.strip()
    assert (id_of(token) is not None, token in made.stderr) == (True, False)
    with connect(settings) as redis:
        known = KeyStore(redis).find(token)
    assert known is not None
    assert (known.tenant, known.role, known.name, known.expires_at) == ("acme", "viewer", "ci", None)


def test_list_shows_no_secret_and_revoke_ends_it(run: Callable[..., Result], settings: Settings) -> None:
    told = json.loads(run("keys", "create", "--name", "ci", "--expires", "90d", "--json").stdout)
    (listed,) = json.loads(run("keys", "list", "--json").stdout)
    assert {name: told[name] for name in told if name != "key"} == listed
    assert (listed["role"], listed["expires_at"] > listed["created_at"]) == ("submitter", True)
    assert told["id"] in run("keys", "list").stdout
    assert told["key"][-43:] not in run("keys", "list").stdout
    assert run("keys", "revoke", told["id"]).exit_code == exits.OK
    assert json.loads(run("keys", "list", "--json").stdout) == []
    with connect(settings) as redis:
        assert KeyStore(redis).find(told["key"]) is None
    again = run("keys", "revoke", told["id"])
    assert (again.exit_code, "no key of that id" in again.stderr) == (exits.REFUSED, True)


@pytest.mark.parametrize("wrong", [("--tenant", "a:b"), ("--role", "king"), ("--expires", "soon"), ("--expires", "0d")])
def test_wrong_words_are_usage(run: Callable[..., Result], wrong: tuple[str, str]) -> None:
    assert run("keys", "create", "--name", "ci", *wrong).exit_code == exits.USAGE


def test_without_redis_it_says_so(run: Callable[..., Result]) -> None:
    answer = run("keys", "list", url=f"redis://127.0.0.1:{free_port('127.0.0.1')}/0")
    assert (answer.exit_code, "Redis cannot be reached" in answer.stderr) == (exits.UNREACHABLE, True)


def test_a_tenant_s_policy_is_set_field_by_field(run: Callable[..., Result]) -> None:
    run("tenants", "set", "acme", "--models", "credit-*", "--models", "house", "--requests", "600")
    shown = json.loads(run("tenants", "set", "acme", "--jobs", "100", "--compute-s", "0.5", "--json").stdout)
    policy = {"models": ["credit-*", "house"], "requests": 600, "jobs": 100, "bytes": 0, "compute_s": 0.5}
    assert shown == {"acme": policy}
    assert json.loads(run("tenants", "list", "--json").stdout) == {"acme": policy}
    assert "credit-*, house" in run("tenants", "show", "acme").stdout
    back = json.loads(run("tenants", "set", "acme", "--default", "models", "--json").stdout)
    assert back["acme"]["models"] == ["*"]
    assert run("tenants", "forget", "acme").exit_code == exits.OK
    assert json.loads(run("tenants", "list", "--json").stdout) == {}


def test_nothing_to_change_is_usage(run: Callable[..., Result]) -> None:
    assert run("tenants", "set", "acme").exit_code == exits.USAGE
