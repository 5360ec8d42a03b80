"""Peak memory of a worker's process when a job's steps or samples grow eightfold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.models import laboratory, write_all
from benchmarks.tables import met, show
from workers.local import Order

CASES = (
    ("resnet18", "integrated_gradients", {"max_steps": 64, "tolerance": 0.0}, "max_steps"),
    ("resnet18", "kernel_shap", {"samples": 128, "tolerance": 0.0}, "samples"),
    ("small-cnn", "integrated_gradients", {"max_steps": 256, "tolerance": 0.0}, "max_steps"),
    ("small-cnn", "integrated_gradients", {"max_steps": 2048, "tolerance": 0.0}, "max_steps"),
    ("small-cnn", "kernel_shap", {"samples": 2048, "tolerance": 0.0}, "samples"),
    ("mlp", "smoothgrad", {"samples": 500}, "samples"),
)


def main() -> None:
    """Print the table; every figure comes from a process of its own."""
    rows = []
    for model, method, params, grown in CASES:
        small, large = (_peak_mib(model, method, {**params, grown: int(params[grown]) * factor}) for factor in (1, 8))
        rise = large / small - 1
        grows = f"{params[grown]} -> {int(params[grown]) * 8} {grown}"
        verdict = met(rise, 0.10, at_least=False)
        rows.append((f"{method}, {model}", grows, f"{small:.0f}", f"{large:.0f}", f"{rise:+.1%}", verdict))
    show("Peak memory when steps or samples grow 8x (MiB)", ("job", "from -> to", "small", "large", "rise", "bound"), rows)


def _peak_mib(model: str, method: str, params: dict[str, float]) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", model, method, json.dumps(params)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def explain_and_report(model: str, method: str, params: dict[str, float]) -> None:
    """Explain one row and print this process's peak resident memory."""
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(write_all(Path(folder)), threads=2)
        shape = lab.load(model).card.inputs[0].row_shape
        row = np.random.Generator(np.random.Philox(1)).normal(size=(1, *shape)).astype(np.float32)
        lab.explain(model, Order(method, {"input": row}, params))
    print(_high_water_mib())


def _high_water_mib() -> float:
    """This program's peak: not `ru_maxrss`, which begins with the size of the process that started this one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) / 1024  # type: ignore[index]  # Linux has it


if __name__ == "__main__":
    if sys.argv[1:]:
        explain_and_report(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    else:
        main()
