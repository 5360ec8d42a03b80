"""A whole service of our own: `explainery up` on a model repository, with its embedded Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from explainery.demo.service import running
from explainery.settings import Settings

LIMIT_S = 120
README_URL = "http://127.0.0.1:8080"
"""The address that pages and examples use; the service of a test has another port."""


@contextmanager
def serving(home: Path, models: Path, **variables: str) -> Iterator[str]:
    """Run a service; gives its address."""
    before = dict(os.environ)
    os.environ.update({"EXPLAINERY_DEVICE": "cpu", **variables})
    try:
        with running(Settings(home=home, port=0), models) as service:
            yield service.url
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_block(language: str, code: str, url: str, folder: Path) -> str:
    """Run a shell or Python block in `folder` against the service; gives what it printed. Fails when it does."""
    code = code.replace(README_URL, url)
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "EXPLAINERY_PORT": str(urlsplit(url).port),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, f"{code}\nended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
