"""What a trial is given, as one stream of bytes: a line of JSON, then the files. No path of the file system is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from explainery.settings import Settings

HANDED = ("factories", "plugins", "allow_code_formats", "trial_bytes", "trial_cpu_s", "trial_s")
"""Settings that a trial may know: what loading depends on, and its limits. None of them is a secret."""


def write(stream: IO[bytes], settings: Settings, files: Mapping[str, bytes]) -> None:
    """Write a parcel."""
    head = {
        "settings": {name: getattr(settings, name) for name in HANDED},
        "files": [[name, len(content)] for name, content in files.items()],
    }
    stream.write(json.dumps(head).encode() + b"\n")
    for content in files.values():
        stream.write(content)


def read(stream: IO[bytes]) -> tuple[Settings, dict[str, bytes]]:
    """What `write` wrote. A trial computes on the CPU, with one thread."""
    head = json.loads(stream.readline())
    handed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in head["settings"].items()
    }
    files = {name: stream.read(size) for name, size in head["files"]}
    return Settings(**handed, device="cpu", threads=1), files
