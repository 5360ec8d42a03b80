"""The command line as a shell sees it: help, sentences, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from explainery import __version__
from explainery.cli import exits
from explainery.cli.main import COMMANDS, main
from explainery.client import JobFailed, ServiceError, ServiceUnreachable, WaitTimedOut
from explainery.client.outcome import read_job
from explainery.contract.errors import SettingsInvalid
from explainery.supervisor.failures import CannotStart
from explainery.supervisor.ports import free_port

JOB = read_job(
    {
        "id": "01K", "status": "failed", "method": "saliency", "model": {"name": "m", "version": "1", "digest": "sha256:0"},
        "rows": 1, "seed": 0, "created_at": "2026-01-01T00:00:00Z", "attempts": 1, "links": {},
        "error": {"code": "model_failed", "detail": "The model raised", "retryable": False, "later": "field"},
    }
)  # fmt: skip


def explainery(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from explainery.cli.main import main; main()", *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=60)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str):
    run = CliRunner().invoke(main, [name, "--help"])
    assert run.exit_code == 0
    assert len(run.stdout.splitlines()) > 3


def test_version():
    assert CliRunner().invoke(main, ["version"]).stdout == f"{__version__}\n"


def test_a_wrong_command_is_usage():
    assert CliRunner().invoke(main, ["explian"]).exit_code == exits.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JobFailed(JOB), 1),
        (SettingsInvalid("..."), 2),
        (ServiceError(422, "unknown_model", "...", [], False), 3),
        (ServiceError(404, "job_not_found", "...", [], False), 3),
        (ServiceError(503, "queue_full", "...", [], True), 4),
        (ServiceUnreachable("..."), 4),
        (CannotStart("..."), 4),
        (WaitTimedOut(JOB, 1.0), 5),
    ],
)
def test_what_each_exit_code_means(error: Exception, code: int):
    told = exits.failure(error)
    assert told is not None
    assert told.exit_code == code
    assert str(code) in exits.HELP


def test_an_error_of_the_code_keeps_its_traceback():
    assert exits.failure(KeyError("bug")) is None


def test_faults_are_told_with_their_places_unless_the_detail_did():
    faults = [{"loc": "inputs.0.shape", "msg": "must have 3 columns"}]
    short = exits.failure(ServiceError(422, "invalid_input", "The input does not fit", faults, False))
    full = exits.failure(ServiceError(422, "invalid_input", "inputs.0.shape must have 3 columns", faults, False))
    assert short is not None
    assert short.message == "The input does not fit (invalid_input)\n  inputs.0.shape: must have 3 columns"
    assert full is not None
    assert full.message == "inputs.0.shape must have 3 columns (invalid_input)"


def test_nobody_there_is_one_sentence_and_exit_4():
    run = explainery("methods", "--url", f"http://127.0.0.1:{free_port()}")
    assert (run.returncode, run.stdout) == (exits.UNREACHABLE, "")
    assert "explainery up" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_wrong_settings_are_one_sentence_and_exit_2():
    run = explainery("methods", EXPLAINERY_PORT="http", EXPLAINERY_WORKERS="none")
    assert run.returncode == exits.USAGE
    assert "EXPLAINERY_PORT" in run.stderr
    assert "EXPLAINERY_WORKERS" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_without_a_redis_it_says_how_to_start_one(command: str, tmp_path: Path):
    run = explainery(command, EXPLAINERY_HOME=str(tmp_path), EXPLAINERY_REDIS_URL="")
    assert run.returncode == exits.UNREACHABLE
    assert "explainery redis" in run.stderr


def test_redis_in_the_foreground_prints_its_address_and_keeps_its_folder(tmp_path: Path):
    program = [sys.executable, "-c", "from explainery.cli.main import main; main()", "redis"]
    environment = {**os.environ, "EXPLAINERY_HOME": str(tmp_path)}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        try:
            assert line.startswith("EXPLAINERY_REDIS_URL=redis://127.0.0.1:")
            again = explainery("redis", EXPLAINERY_HOME=str(tmp_path))
            assert again.returncode == exits.UNREACHABLE
            assert f"process {server.pid}" in again.stderr
        finally:
            server.terminate()


def test_up_refuses_a_busy_port(tmp_path: Path):
    from explainery.supervisor.ports import listen

    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        run = explainery("up", EXPLAINERY_HOME=str(tmp_path), EXPLAINERY_PORT=port)
    assert (run.returncode, run.stdout) == (exits.UNREACHABLE, "")
    assert f"Port {port} on 127.0.0.1 is busy" in run.stderr
    assert "Traceback" not in run.stderr


def test_up_refuses_a_home_in_use(tmp_path: Path):
    from explainery.supervisor.lock import hold

    held = hold(tmp_path / "run" / "up.lock", "taken")
    run = explainery("up", EXPLAINERY_HOME=str(tmp_path), EXPLAINERY_PORT="0")
    os.close(held)
    assert (run.returncode, run.stdout) == (exits.UNREACHABLE, "")
    assert f"already running on {tmp_path} (process {os.getpid()})" in run.stderr
