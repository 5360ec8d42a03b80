"""The model server of `far_side.py` in a process of its own, and cards that point to it."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import far_side
import httpx
import repos

from explainery.settings import load
from workers.local import Local

START_S = 60.0


class FarSide:
    """A server process on loopback; it keeps its port over `kill` and `start`."""

    def __init__(self, folder: Path, **onnx: Path) -> None:
        self._log = folder / "far_side.log"
        self._tls = "tls" in onnx
        self._onnx = [f"{name}={path}" for name, path in onnx.items()]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def start(self) -> FarSide:
        command = [sys.executable, far_side.__file__, str(self.port), *self._onnx]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        ends = time.monotonic() + START_S
        while True:
            try:
                self.seen()
            except httpx.TransportError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < ends
                time.sleep(0.02)
            else:
                return self

    def kill(self) -> None:
        """End it without warning, by its pid."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def switch(self, mode: str = "", count: int = 1, **more: Any) -> None:
        """How the next `count` requests for a prediction go wrong; -1: all of them."""
        asked = {"mode": mode, "count": count, **more}
        httpx.post(f"{self.url}/test/switch", json=asked, verify=False).raise_for_status()  # noqa: S501  # its own certificate

    def seen(self) -> dict[str, Any]:
        """What has been asked so far."""
        return dict(httpx.get(f"{self.url}/test/seen", verify=False).json())  # noqa: S501  # its own certificate


def add_remote(folder: Path, name: str, url: str, inputs: str = "", outputs: str = "", more: str = "", **remote: Any) -> Path:
    """A card of format "remote"; of the model `waves` where nothing else is said."""
    headers = remote.pop("headers", {})
    table = {"url": url, "model": "waves", **remote}
    lines = "".join(f"{key} = {repos.toml(value)}\n" for key, value in table.items())
    lines += f"headers = {repos.toml(headers)}\n" if headers else ""
    body = (inputs or repos.tensor_input("input", [4])) + (outputs or repos.output(2))
    return repos.write(folder, name, f'title = "{name}"\nformat = "remote"\n{more}{body}[remote]\n{lines}')


TWO = {
    "model": "two",
    "inputs": repos.tensor_input("table", [2], "FP64") + repos.tensor_input("flags", [2], "BOOL"),
    "outputs": repos.output(2, "extra", datatype="INT64") + repos.output(2, datatype="FP64"),
    "more": 'score = "score"\n',
}
TOKENS = {
    "model": "tokens",
    "inputs": repos.tensor_input("input", [-1], "INT64"),
    "outputs": repos.output(2, datatype="FP64"),
}
"""Cards of the server's other models, for `add_remote`."""


def lab_over(folder: Path, *allowed: str) -> Local:
    """A laboratory over the cards of a folder, which may call the hosts `allowed`, or loopback."""
    hosts = allowed or ("127.0.0.1",)
    return Local(dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1, remote_allowed=hosts))
