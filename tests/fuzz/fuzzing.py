"""A fuzz run: a whole service, what schemathesis makes up from its document, and canaries that nobody may repeat."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from serving import serving

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAID = re.compile(rb"canary7f3a91|918273\.6450912")
SPARE_S = 120
"""How much longer than asked a run may take before it is ended."""
STREAMS = ("stream_events", "stream_explanation_events")
"""They answer without end, so schemathesis would only wait; tests/service/test_streams.py looks at them."""


@dataclass(frozen=True)
class Run:
    """What a run found.

    `told`: what schemathesis printed; `statuses`: how often which; `leaks`: where a canary was repeated; `logs`: how many files
    were looked at.
    """

    passed: bool
    told: str
    statuses: Counter[int]
    leaks: list[str]
    logs: int


def fuzz(folder: Path, *options: str, limit_s: int = 600) -> Run:
    """Run schemathesis with `options` against a service of its own, whose files are in `folder`."""
    found = folder / "found"
    with serving(folder / "home", ROOT / "examples/models", EXPLAINERY_SYNC_LIMIT_S="10") as url:
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
            "run", f"{url}/openapi.json", "--checks", "all", "--continue-on-failure", "--request-timeout", "20", "--no-color",
            "--suppress-health-check", "all", "--warnings", "off", *options,
        ]  # fmt: skip
        for name in STREAMS:
            command += ["--exclude-operation-id", name]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "EXPLAINERY_FUZZ_FOUND": str(found)}
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
    counted = found.with_suffix(".count")
    statuses = Counter(map(int, counted.read_text().split())) if counted.exists() else Counter()
    leaks = found.read_text().splitlines() if found.exists() else []
    logs = [path for path in (folder / "home").rglob("*") if path.is_file() and path.suffix in (".log", ".out", ".err", "")]
    texts = [path for path in logs if b"\0" not in path.read_bytes()[:1024] and "redis" not in path.parts]
    leaks += [f"{path.name}: {line[:300]!r}" for path in texts for line in path.read_bytes().splitlines() if SAID.search(line)]
    return Run(done.returncode == 0, done.stdout + done.stderr, statuses, leaks, len(texts))


def main(minutes: float, folder: Path) -> int:
    """Fuzz for so many minutes, and print what was found."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seconds = max(1, round(minutes * 60))
    run = fuzz(folder, "--max-time", str(seconds), "--seed", os.environ.get("SEED", "1"), limit_s=seconds + SPARE_S)
    print(run.told)
    print("answers:", ", ".join(f"{status}: {count}" for status, count in sorted(run.statuses.items())))
    print(
        f"canaries repeated: {len(run.leaks)} (in {run.statuses.total()} answers and {run.logs} logs)",
        *run.leaks[:20],
        sep="\n",
    )
    return 0 if run.passed and not run.leaks else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]).resolve()))
