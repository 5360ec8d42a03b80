"""What must hold of the tree itself: import rules (and that they bite), and what no committed file may hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

WRONG = {
    "the API imports the workers": ("service/planted.py", "import workers.questions\n"),
    "the workers import the API": ("workers/planted.py", "import service.problems\n"),
    "the ground floor imports the workers": ("explainery/contract/planted.py", "import workers.game\n"),
    "the API imports torch": ("service/routes/planted.py", "import torch\n"),
    "the workers import Flask": ("workers/planted.py", "import flask\n"),
    "the contract does I/O": ("explainery/contract/planted.py", "import redis\n"),
    "the client imports ONNX Runtime": ("explainery/client/planted.py", "import onnxruntime\n"),
    "a method imports another": ("workers/methods/planted.py", "import workers.methods.kernel_shap\n"),
    "a runtime imports another": ("workers/runtimes/planted.py", "import workers.runtimes.stub\n"),
    "a modality imports another": ("workers/modalities/planted.py", "import workers.modalities.image\n"),
    "the workers import the demo": ("workers/planted.py", "import explainery.demo.digits\n"),
    "the API talks to Redis": ("service/planted.py", "import redis\n"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [BIN / "lint-imports", "--no-cache", "--config", folder / "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_point_down():
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_import_is_found(tmp_path: Path, wrong: str):
    for package in ("explainery", "service", "workers"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    name, code = WRONG[wrong]
    (tmp_path / name).write_text(f'"""Planted."""\n\n{code}', encoding="utf-8")
    answer = lint(tmp_path)
    assert answer.returncode == 1, answer.stdout
    assert "BROKEN" in answer.stdout
    assert "planted" in answer.stdout


def test_no_file_holds_a_path_of_a_machine_or_a_package_host():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    forbidden = re.compile(
        "|".join(["/home/" + r"\w", "/wo" + "rk/", "/Us" + "ers/", r"pypi\." + "org", r"download\." + "pytorch"])
    )
    texts = [ROOT / name for name in listed.stdout.split("\0") if name and not name.endswith((".npy", ".npz", ".png"))]
    found = [
        str(path) for path in texts if path.is_file() and forbidden.search(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert found == []


def test_ci_runs_the_tests():
    assert (ROOT / ".ci/run").read_text().strip().endswith("exec make test")


def test_the_tested_set_pins_everything_and_names_no_index():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins
    assert not [pin for pin in pins if pin.startswith(("torchvision", "torchaudio"))]
