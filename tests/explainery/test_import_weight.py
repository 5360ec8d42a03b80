"""The ground floor stays light: what it does not need cannot be in its way."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("redis", "flask", "apiflask", "celery", "kombu", "torch", "onnx", "onnxruntime", "scipy", "PIL", "gunicorn")

BLOCKED = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)
sys.meta_path.insert(0, Wall())
"""


def run(code: str, heavy: tuple[str, ...] = HEAVY) -> subprocess.CompletedProcess[str]:
    program = BLOCKED.format(heavy=set(heavy)) + code
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_the_wall_stands():
    assert "redis is blocked" in run("import redis").stderr


def test_explainery_and_its_client_need_no_extra():
    code = "import explainery; explainery.Client().close(); explainery.ExplanationResult; explainery.ServiceError"
    assert run(code).stderr == ""


def test_importing_explainery_imports_nothing_of_weight():
    assert run("import explainery", (*HEAVY, "numpy", "httpx", "pydantic", "click", "rich")).stderr == ""


@pytest.mark.parametrize("module", ["contract.job", "contract.catalogue", "contract.result", "contract.tensors", "settings"])
def test_the_contract_needs_no_numpy(module: str):
    assert run(f"import explainery.{module}", (*HEAVY, "numpy", "httpx")).stderr == ""


def test_the_command_line_helps_without_any_extra():
    code = "from explainery.cli.main import main; main(['--help'], standalone_mode=False)"
    told = run(code)
    assert told.stderr == ""
    assert "Exit codes" in told.stdout


def test_public_names_exist():
    import explainery

    assert all(getattr(explainery, name) for name in explainery.__all__)
    assert set(explainery.__all__) <= set(dir(explainery))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = explainery.Nothing
