"""The way out: only hosts on the list, only addresses that were checked, no redirect, and TLS that verifies the name."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import far_side
import httpx
import numpy as np
import pytest
from far_sides import FarSide, add_remote, lab_over

from explainery.allowed_hosts import AllowList
from explainery.checked_network import resolved
from explainery.contract.errors import ModelUnloadable, RemoteForbidden, RemoteRefused, RemoteUnavailable
from workers.plugins import Model

ROWS = np.ones((2, 4), dtype=np.float32)


def named(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> list[str]:
    """Let names stand for addresses, as a DNS would; gives the list of what was looked up."""
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def look(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in addresses:
            return real(host, port, *rest, **more)
        looked_up.append(host)
        return [answer for address in addresses[host] for answer in real(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return looked_up


def test_a_name_does_not_allow_loopback(model: Callable[..., Model], far: FarSide) -> None:
    before = far.seen()["connections"]
    with pytest.raises(RemoteForbidden, match="not public") as error:
        model("localhost", url=f"http://localhost:{far.port}")
    assert isinstance(error.value, ModelUnloadable)
    assert "EXPLAINERY_REMOTE_ALLOWED" in error.value.detail
    assert far.seen()["connections"] == before + 1  # the test's own look


def test_a_name_and_its_address_do(model: Callable[..., Model], far: FarSide) -> None:
    loaded = model("localhost", "127.0.0.1", "::1", url=f"http://localhost:{far.port}")
    np.testing.assert_allclose(loaded.forward({"input": ROWS}), far_side.waves(ROWS), atol=1e-6)
    assert far.seen()["headers"]["host"] == f"localhost:{far.port}"


def test_a_name_that_stands_for_a_private_address_besides_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, **{"models.test": ["8.8.8.8", "169.254.169.254"]})
    with pytest.raises(RemoteForbidden):
        resolved("models.test", 80, AllowList.parse(["models.test"]))
    allowed = AllowList.parse(["models.test", "169.254.169.254"])
    assert len(resolved("models.test", 80, allowed)) == 2


@pytest.mark.parametrize("written", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1"])
def test_addresses_in_disguise_are_seen_through(written: str) -> None:
    with pytest.raises((RemoteForbidden, RemoteUnavailable)):
        resolved(written, 80, AllowList.parse([written, "*.test"]))


def test_a_name_that_changes_its_address_is_no_way_in(tmp_path: Path, far: FarSide, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: allowed when it was loaded, loopback when it is called. Nothing reaches the server."""
    addresses = {"models.test": ["127.0.0.1"]}
    looked_up = named(monkeypatch, **addresses)
    add_remote(tmp_path, "m", f"http://models.test:{far.port}", retries=0)
    lab = lab_over(tmp_path, "models.test", "127.0.0.1")
    loaded = lab.load("m").model
    loaded.forward({"input": ROWS})
    assert looked_up  # the name was resolved by us, once per connection
    far.switch(mode="drop")
    addresses["models.test"] = ["127.0.0.2"]
    named(monkeypatch, **addresses)
    before = far.seen()["asked"]
    with pytest.raises(RemoteUnavailable):  # the connection is dropped
        loaded.forward({"input": ROWS})
    with pytest.raises(RemoteForbidden):
        loaded.forward({"input": ROWS})
    assert far.seen()["asked"] == before + 1


def test_the_connection_goes_to_the_address_that_was_checked(
    tmp_path: Path, far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is looked up once for one connection: a second answer, which nobody has checked, is never asked for."""
    looked_up = named(monkeypatch, **{"models.test": ["127.0.0.1"]})
    add_remote(tmp_path, "m", f"http://models.test:{far.port}", retries=0)
    lab_over(tmp_path, "models.test", "127.0.0.1").load("m")
    assert looked_up == ["models.test"]


def test_an_address_that_does_not_answer_is_passed_over(tmp_path: Path, far: FarSide, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, **{"models.test": ["127.0.0.9", "127.0.0.1"]})
    add_remote(tmp_path, "m", f"http://models.test:{far.port}", retries=0)
    loaded = lab_over(tmp_path, "models.test", "127.0.0.0/8").load("m").model
    assert loaded.forward({"input": ROWS}).shape == (2, 2)


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    with pytest.raises(RemoteUnavailable, match="cannot be resolved"):
        resolved("no-such-host.invalid", 80, AllowList.parse(["*.invalid"]))


def test_a_redirect_is_not_followed(model: Callable[..., Model], far: FarSide, tmp_path_factory: Any) -> None:
    other = FarSide(tmp_path_factory.mktemp("other")).start()
    try:
        loaded = model(retries=3)
        far.switch(mode="status", status=307, headers={"Location": f"{other.url}/v2/models/waves/infer"})
        with pytest.raises(RemoteRefused, match="not followed"):
            loaded.forward({"input": ROWS})
        assert other.seen()["asked"] == 0
    finally:
        other.kill()


def test_proxies_of_the_environment_are_not_used(
    model: Callable[..., Model], far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert model().forward({"input": ROWS}).shape == (2, 2)


# --- secrets


def test_a_header_has_its_value_from_the_environment(
    model: Callable[..., Model], far: FarSide, monkeypatch: pytest.MonkeyPatch, caplog: Any, logs: list[Any]
) -> None:
    """The far side sees it; no log of ours at any level does, and no error."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("EXPLAINERY_SECRET_TOKEN", "Bearer hunter2")
    loaded = model(headers={"Authorization": "EXPLAINERY_SECRET_TOKEN"})
    loaded.forward({"input": ROWS})
    assert far.seen()["headers"]["authorization"] == "Bearer hunter2"
    far.switch(mode="status", status=401)
    with pytest.raises(RemoteRefused, match="headers") as error:
        loaded.forward({"input": ROWS})
    assert "hunter2" not in error.value.detail + str(logs) + caplog.text + repr(vars(loaded))


def test_a_header_has_its_value_from_a_file(
    model: Callable[..., Model], far: FarSide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("hunter3\n")
    monkeypatch.setenv("EXPLAINERY_SECRET_TOKEN_FILE", str(tmp_path / "token"))
    model(headers={"X-Key": "EXPLAINERY_SECRET_TOKEN"}).forward({"input": ROWS})
    assert far.seen()["headers"]["x-key"] == "hunter3"


@pytest.mark.parametrize("value", [None, "", "  ", "two\nlines hunter2", "hünter2"])
def test_a_secret_that_cannot_be_used_is_named_not_told(
    model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("EXPLAINERY_SECRET_TOKEN", value)
    with pytest.raises(ModelUnloadable, match="EXPLAINERY_SECRET_TOKEN") as error:
        model(headers={"Authorization": "EXPLAINERY_SECRET_TOKEN"})
    assert "nter2" not in error.value.detail


def test_a_file_that_is_not_there(model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLAINERY_SECRET_TOKEN_FILE", "/no/such/file")
    with pytest.raises(ModelUnloadable, match="EXPLAINERY_SECRET_TOKEN_FILE") as error:
        model(headers={"Authorization": "EXPLAINERY_SECRET_TOKEN"})
    assert "/no/such" not in error.value.detail


# --- TLS

OPENSSL = shutil.which("openssl")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FarSide, Path]]:
    """A server with a certificate of its own, for the name `localhost` only; and that certificate."""
    if OPENSSL is None:
        pytest.skip("needs the program openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    server = FarSide(folder, tls=folder).start()
    yield server, folder / "cert.pem"
    server.kill()


def test_tls_verifies_the_name_though_the_address_is_connected_to(
    secure: tuple[FarSide, Path], model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    loaded = model("localhost", "127.0.0.1", "::1", url=f"https://localhost:{server.port}")
    assert loaded.forward({"input": ROWS}).shape == (2, 2)


def test_a_certificate_for_another_name_is_refused(
    secure: tuple[FarSide, Path], model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    before = server.seen()["asked"]
    with pytest.raises(ModelUnloadable, match="certificate"):
        model(url=server.url)
    assert server.seen()["asked"] == before


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: tuple[FarSide, Path], model: Callable[..., Model]) -> None:
    server, _ = secure
    with pytest.raises(ModelUnloadable, match="SSL_CERT_FILE"):
        model("localhost", "127.0.0.1", "::1", url=f"https://localhost:{server.port}")
    assert httpx.get(f"{server.url}/test/seen", verify=False).status_code == 200  # noqa: S501  # it serves
