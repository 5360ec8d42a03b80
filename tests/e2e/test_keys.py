"""A whole service that asks for keys, as its users meet it: the command line makes them, clients show them, logs keep quiet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from stacks import Stack, write_models

from explainery import Client, ServiceError

ROWS = [[1.0, 2.0, 3.0]]
ASKED = {"method": "exact_shapley", "target": None, "baseline": "zeros"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("guarded"), EXPLAINERY_AUTH="keys", EXPLAINERY_LOG_LEVEL="debug")
    write_models(running.models)
    running.start()
    yield running
    assert running.stop() == 0


def cli(stack: Stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    port = str(stack.http.base_url.port)
    whole = {**stack.environment, "EXPLAINERY_PORT": port, **environment}
    return subprocess.run(
        [sys.executable, "-m", "explainery", *arguments], env=whole, capture_output=True, text=True, check=False
    )


def key_of(stack: Stack, tenant: str, role: str = "submitter") -> str:
    made = cli(stack, "keys", "create", "--name", "test", "--tenant", tenant, "--role", role)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_two_tenants_work_side_by_side_and_see_nothing_of_each_other(guarded: Stack) -> None:
    url = str(guarded.http.base_url)
    mine, theirs = key_of(guarded, "acme"), key_of(guarded, "globex")
    with Client(url, api_key=mine) as client, Client(url, api_key=theirs) as other:
        job = client.submit("linear", ROWS, wait_s=30, **ASKED)
        assert (job.status, job.tenant) == ("succeeded", "acme")
        (values,) = client.result(job).attributions.values()
        assert values.tolist() == [[1.0, 4.0, 9.0]]
        assert [event.status for event in client.events(job)][-1] == "succeeded"
        with pytest.raises(ServiceError) as refused:
            other.job(job.id)
        assert (refused.value.status, refused.value.code) == (404, "job_not_found")
        same = other.submit("linear", ROWS, wait_s=30, **ASKED)
        assert (same.status, same.dedupe_of) == ("succeeded", None)
        assert [each.id for each in other.jobs()] == [same.id]


def test_the_command_line_and_the_client_read_the_key_from_the_environment(
    guarded: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = key_of(guarded, "initech", "viewer")
    refused = cli(guarded, "jobs", "list")
    assert (refused.returncode, "unauthenticated" in refused.stderr) == (3, True)
    assert cli(guarded, "jobs", "list", EXPLAINERY_API_KEY=token).returncode == 0
    (tmp_path / "key").write_text(token + "\n")
    assert cli(guarded, "jobs", "list", EXPLAINERY_API_KEY_FILE=str(tmp_path / "key")).returncode == 0
    monkeypatch.setenv("EXPLAINERY_API_KEY", token)
    with Client(str(guarded.http.base_url)) as client:
        assert list(client.jobs()) == []
        with pytest.raises(ServiceError) as forbidden:
            client.submit("linear", ROWS, **ASKED)
    assert (forbidden.value.status, forbidden.value.code) == (403, "forbidden")


def test_a_quota_that_is_set_counts_at_once(guarded: Stack) -> None:
    token = key_of(guarded, "hooli")
    assert cli(guarded, "tenants", "set", "hooli", "--jobs", "1", "--models", "slow").returncode == 0
    with Client(str(guarded.http.base_url), api_key=token, retries=0) as client:  # it would wait for its turn
        first = client.submit("slow", ROWS * 40, **ASKED)
        with pytest.raises(ServiceError) as over:
            client.submit("slow", ROWS, **ASKED)
        assert (over.value.status, over.value.code) == (429, "quota_exceeded")
        with pytest.raises(ServiceError) as unknown:
            client.submit("linear", ROWS, **ASKED)
        assert unknown.value.code == "unknown_model"
        client.cancel(first)
        assert client.submit("slow", ROWS, wait_s=30, **ASKED).status == "succeeded"


def test_readiness_and_metrics_are_for_machines(guarded: Stack) -> None:
    assert guarded.http.get("/readyz").status_code == 200
    assert guarded.http.get("/metrics").status_code == 401
    shown = {"Authorization": f"Bearer {key_of(guarded, 'ops', 'monitor')}"}
    assert "explainery_jobs_waiting" in guarded.http.get("/metrics", headers=shown).text
    assert guarded.http.get("/v1/explanations", headers=shown).status_code == 403


def test_no_log_holds_a_key(guarded: Stack) -> None:
    token = key_of(guarded, "acme")
    httpx.get(f"{guarded.http.base_url}/v1/models", headers={"Authorization": f"Bearer {token}"})
    httpx.get(f"{guarded.http.base_url}/v1/models", headers={"X-Api-Key": token, "Authorization": "Bearer nonsense-canary"})
    logs = "".join(path.read_text(errors="replace") for path in (guarded.home / "logs").iterdir())
    logs += (guarded.home / "up.log").read_text()
    assert token.split("_")[1] in logs, "its id may be there, for whoever looks into who did what"
    assert token[-43:] not in logs
    assert "nonsense-canary" not in logs
