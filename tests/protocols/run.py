"""Stock clients of other platforms, unmodified and each in a virtual environment of its own, against a running service.

`make protocols`; needs a network the first time, to install the clients, and is therefore no part of `make test` (which sends
the same shapes by plain HTTP, in `tests/e2e/test_platforms.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from stacks import Stack, write_models

HERE = Path(__file__).parent
CLIENTS = {"kserve": "kserve>=0.21", "triton": "tritonclient[http]>=2.60", "openai": "openai>=1.60", "curl": None}
"""Script `<name>_client.py` -> what it needs; None: no more than what every machine has."""


def environment(folder: Path, requirement: str | None) -> Path:
    """The Python of an environment that has the client; made when it is not there."""
    if requirement is None:
        return Path(sys.executable)
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", requirement], check=True)
        (folder / ".ready").touch()
    return python


def main(folder: Path) -> int:
    """Run every client; gives back how many failed."""
    pythons = {name: environment(folder / name, requirement) for name, requirement in CLIENTS.items()}
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        stack = Stack(Path(home))
        write_models(stack.models)
        stack.start()
        try:
            alone = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "EXPLAINERY"))}
            for name, python in pythons.items():
                command = [str(python), str(HERE / f"{name}_client.py"), str(stack.http.base_url).rstrip("/")]
                failed += subprocess.run(command, env=alone, check=False, timeout=300).returncode != 0
        finally:
            stack.stop()
    print(f"{len(CLIENTS) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
