"""A fuzz run: a whole service, what schemathesis makes up from its document, and canaries that nobody may repeat."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
from redis import Redis
from serving import serving
from targets import until

from explainery.contract.access import Role
from explainery.store.access import KeyStore
from explainery.supervisor.commands import service_command
from explainery.supervisor.ports import free_port

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAID = rb"canary7f3a91|918273\.6450912"
SPARE_S = 120
"""How much longer than asked a run may take before it is ended."""
STREAMS = ("stream_events", "stream_explanation_events")
"""They answer without end, so schemathesis would only wait; tests/service/test_streams.py looks at them."""


@dataclass(frozen=True)
class Run:
    """What a run found.

    `told`: what schemathesis printed; `statuses`: how often which; `leaks`: where a canary was repeated, or one without a
    key let in; `logs`: how many files were looked at.
    """

    passed: bool
    told: str
    statuses: Counter[int]
    leaks: list[str]
    logs: int


def fuzz(folder: Path, forms: Mapping[str, Sequence[str]], limit_s: int = 600) -> dict[str, Run]:
    """Run schemathesis against a service of its own, whose files are in `folder`, once for each form, with the options of that.

    Forms: `open`, where nobody is asked; `keys`, by an API beside it that asks for keys, where schemathesis shows one of a
    submitter. No key may be repeated.
    """
    home, runs = folder / "home", {}
    with serving(home, ROOT / "examples/models", EXPLAINERY_SYNC_LIMIT_S="10") as url:
        for form, options in forms.items():
            with guarded(home) if form == "keys" else nullcontext((url, [])) as (address, keys):
                runs[form] = _run(folder, form, address, keys, options, limit_s)
    return runs


@contextmanager
def guarded(home: Path) -> Iterator[tuple[str, list[str]]]:
    """An API on the same Redis that asks for keys, and a submitter's and an operator's of one tenant."""
    port, redis_port = free_port(), int((home / "redis" / "port").read_text())
    with Redis(port=redis_port) as redis:
        keys = [KeyStore(redis).create("fuzz", "fuzzed", role)[1] for role in (Role.SUBMITTER, Role.OPERATOR)]
    environment = {
        **os.environ, "EXPLAINERY_HOME": str(home), "EXPLAINERY_PORT": str(port), "EXPLAINERY_AUTH": "keys",
        "EXPLAINERY_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "EXPLAINERY_LOG_LEVEL": "debug",
    }  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with (home / "logs" / "guarded.log").open("wb") as log:
        api = subprocess.Popen(service_command(), env=environment, stdout=log, stderr=log)
        try:
            until(lambda: _ready(url))
            yield url, keys
        finally:
            api.terminate()
            api.wait(timeout=SPARE_S)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _run(folder: Path, form: str, url: str, keys: list[str], options: Sequence[str], limit_s: int) -> Run:
    found = folder / f"found-{form}"
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/openapi.json", "--checks", "all", "--continue-on-failure", "--request-timeout", "20", "--no-color",
        "--suppress-health-check", "all", "--warnings", "off", *options,
    ]  # fmt: skip
    for name in STREAMS:
        command += ["--exclude-operation-id", name]
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": "hooks", "EXPLAINERY_FUZZ_FOUND": str(found),
        "EXPLAINERY_FUZZ_KEYS": " ".join(keys),
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit_s, check=False)
    counted = found.with_suffix(".count")
    statuses = Counter(map(int, counted.read_text().split())) if counted.exists() else Counter()
    leaks = found.read_text().splitlines() if found.exists() else []
    logs = [path for path in (folder / "home").rglob("*") if path.is_file() and path.suffix in (".log", ".out", ".err", "")]
    texts = [path for path in logs if b"\0" not in path.read_bytes()[:1024] and "redis" not in path.parts]
    said = re.compile(b"|".join([SAID, *(re.escape(key.rpartition("_")[2].encode()) for key in keys)]))
    leaks += [f"{path.name}: {line[:300]!r}" for path in texts for line in path.read_bytes().splitlines() if said.search(line)]
    return Run(done.returncode == 0, done.stdout + done.stderr, statuses, leaks, len(texts))


def main(minutes: float, folder: Path) -> int:
    """Fuzz each form for so many minutes, and print what was found."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seconds = max(1, round(minutes * 60))
    options = ["--max-time", str(seconds), "--seed", os.environ.get("SEED", "1")]
    forms = os.environ.get("FORMS", "open keys").split()
    runs = fuzz(folder, dict.fromkeys(forms, options), limit_s=seconds + SPARE_S)
    for form, run in runs.items():
        print(run.told)
        print(f"{form}:", ", ".join(f"{status}: {count}" for status, count in sorted(run.statuses.items())))
        print(f"canaries repeated: {len(run.leaks)} (in {run.statuses.total()} answers and {run.logs} logs)")
        print(*run.leaks[:20], sep="\n")
    return 0 if all(run.passed and not run.leaks for run in runs.values()) else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]).resolve()))
