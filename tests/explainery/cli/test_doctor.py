from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from explainery.cli import findings
from explainery.cli.main import main
from explainery.supervisor.ports import free_port, listen


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch):
    """Run the doctor in a fresh home; give back its exit code and findings by name."""
    monkeypatch.setattr(findings, "_DEVICE", "print('cpu')")  # importing torch takes seconds

    def run(**settings: str) -> tuple[int, dict[str, dict]]:
        environment = {"EXPLAINERY_HOME": str(tmp_path), "EXPLAINERY_PORT": str(free_port())}
        outcome = CliRunner().invoke(main, ["doctor", "--json"], env=environment | settings)
        return outcome.exit_code, {finding["what"]: finding for finding in json.loads(outcome.stdout)}

    return run


def test_a_whole_installation_is_fit(doctor):
    code, found = doctor()
    assert code == 0
    assert found["Redis"]["ok"]
    assert found["extra service"]["ok"]
    assert not found["models"]["ok"]  # none yet, and told so, but `up` works without


def test_a_redis_that_does_not_answer_is_needed(doctor, redis_url):
    code, found = doctor(EXPLAINERY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert code == 1
    assert not found["Redis"]["ok"]
    assert doctor(EXPLAINERY_REDIS_URL=redis_url)[1]["Redis"]["ok"]


def test_a_busy_port_is_told(doctor):
    with listen("127.0.0.1", 0) as taken:
        code, found = doctor(EXPLAINERY_PORT=str(taken.getsockname()[1]))
    assert code == 1
    assert "busy" in found["port"]["state"]


def test_a_gpu_asked_for_and_missing_is_told(doctor):
    code, found = doctor(EXPLAINERY_DEVICE="cuda:0")
    assert code == 1
    assert "EXPLAINERY_DEVICE=cpu" in found["device"]["remedy"]


def test_methods_to_leave_out_are_looked_for(doctor):
    code, found = doctor(EXPLAINERY_METHODS_OFF="lrp,lpr")
    assert code == 0
    assert found["method lrp off"]["ok"]
    assert not found["method lpr off"]["ok"]
    assert "lrp" in found["method lpr off"]["remedy"]


def test_factories_are_looked_for(doctor):
    _, found = doctor(EXPLAINERY_FACTORIES="json,no.such.module")
    assert found["factory module json"]["ok"]
    assert not found["factory module no.such.module"]["ok"]


def test_models_are_counted(doctor, tmp_path: Path):
    (tmp_path / "models" / "linear" / "1").mkdir(parents=True)
    (tmp_path / "models" / "linear" / "1" / "card.toml").touch()
    assert doctor()[1]["models"]["state"].startswith("1 in ")


def test_the_extras_listed_are_those_of_the_distribution():
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    named = {"pillow": "PIL", "vl-convert-python": "vl_convert", "scikit-learn": "sklearn", "safetensors": "safetensors"}
    for extra, modules in findings._EXTRAS.items():
        listed = {line.split(">")[0].split("[")[0] for line in project["optional-dependencies"][extra]}
        wanted = {named.get(name, name) for name in listed}
        assert set(modules) - {"numpy"} <= wanted, extra
