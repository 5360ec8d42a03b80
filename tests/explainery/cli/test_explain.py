"""`explainery explain` and the commands that ask, against the real service."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

from explainery.cli import exits
from explainery.cli.main import main
from explainery.client import Client


@pytest.fixture
def run(service):
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--url", service.url])

    return invoke


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text("age,income,debt\n1,2,3\n4,5,6\n")
    return str(path)


def explain(run, rows: str, *more: str, model: str = "linear") -> Result:
    return run("explain", "--model", model, "--method", "exact_shapley", "--input", rows, *more)


def test_people_get_names_units_prediction_and_verdict(run, rows):
    told = explain(run, rows, "--baseline", "zeros")
    assert told.exit_code == exits.OK, told.stderr
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert "row 0: risk[0] = 14, baseline 0" in lines or "row 0: risk = 14, baseline 0" in lines
    features = [line.split(" +")[0] for line in lines if " +" in line]
    assert features[:3] == ["debt [EUR]", "income", "age [years]"]  # the strongest first
    assert any(line.startswith("quality: pass") for line in lines)
    assert told.stderr == ""  # a progress bar is for terminals


def test_scripts_get_the_result_document(run, rows):
    told = explain(run, rows, "--json", "--target", "null", "--seed", "7", "--decision-id", "d-1")
    document = json.loads(told.stdout)
    assert document["explanations"][1]["attributions"][0]["data"] == pytest.approx([4.0, 10.0, 18.0])
    assert document["seed"] == 7


def test_an_estimate_is_told_and_nothing_enters(run, rows, service):
    with Client(service.url) as client:
        before = len(list(client.jobs()))
        told = explain(run, rows, "--estimate", "--decision-id", "never")
        assert told.exit_code == exits.OK, told.stderr
        assert "model evaluations     16" in told.stdout
        assert json.loads(explain(run, rows, "--estimate", "--json").stdout)["model_evaluations"]["exact"] is True
        assert len(list(client.jobs())) == before
    assert explain(run, rows, "--budget", "15").exit_code == exits.REFUSED


def test_methods_are_compared(run, rows):
    asked = ("compare", "--model", "linear", "--input", rows, "--baseline", "zeros", "--method", "exact_shapley")
    told = run(*asked, "--method", "feature_ablation")
    assert told.exit_code == exits.OK, told.stderr
    assert "exact_shapley / feature_ablation" in " ".join(told.stdout.split())
    assert json.loads(run(*asked, "--method", "occlusion", "--json").stdout)["pairs"][0]["comparable"] is True
    assert run(*asked).exit_code == exits.USAGE


def test_no_wait_prints_the_job(run, rows, service):
    told = explain(run, rows, "--no-wait")
    with Client(service.url) as client:
        assert client.wait(told.stdout.strip(), timeout_s=60).status == "succeeded"
    assert json.loads(explain(run, rows, "--no-wait", "--json").stdout)["status"] in ("queued", "running", "succeeded")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".json"])
def test_the_result_is_saved_in_the_form_of_its_name(run, rows, tmp_path: Path, suffix: str):
    output = tmp_path / f"result{suffix}"
    assert explain(run, rows, "--output", str(output)).exit_code == exits.OK
    wanted = [[1.0, 4.0, 9.0], [4.0, 10.0, 18.0]]
    if suffix == ".json":
        attributions = [row["attributions"][0]["data"] for row in json.loads(output.read_text())["explanations"]]
    else:
        attributions = (np.load(output) if suffix == ".npz" else load_file(output))["attributions.x"]
    np.testing.assert_allclose(attributions, wanted, atol=1e-6)


def test_a_form_that_is_not_known_is_refused_before_anything_is_sent(run, rows, tmp_path: Path):
    told = explain(run, rows, "--output", str(tmp_path / "result.txt"))
    assert told.exit_code == exits.USAGE
    assert ".safetensors" in told.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--param", "speed=3"], exits.REFUSED, "invalid_parameter"),
        (["--param", "speed"], exits.USAGE, "name=value"),
        (["--target", "5"], exits.REFUSED, "invalid_target"),
        (["--seed", "-1"], exits.USAGE, "--seed"),
    ],
)
def test_refusals(run, rows, options: list[str], code: int, said: str):
    told = explain(run, rows, *options)
    assert (told.exit_code, told.stdout) == (code, "")
    assert said in told.stderr


def test_an_unknown_model_is_refused(run, rows):
    assert explain(run, rows, model="nothing").exit_code == exits.REFUSED


def test_a_failed_job_exits_1(run, tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_text('[{"left": [1, 2], "right": [3]}]')
    told = explain(run, str(path), "--target", "no", model="broken")
    assert told.exit_code == exits.FAILED
    assert "model_output_not_finite" in told.stderr


def test_time_runs_out(run, rows):
    told = explain(run, rows, "--timeout", "0.05", model="slow")
    assert told.exit_code == exits.TIMED_OUT
    assert "still" in told.stderr


def test_jobs_list_show_cancel(run, tmp_path: Path):
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.ones((40, 3)))
    job = explain(run, str(path), "--no-wait", "--decision-id", "d-cancel", model="slow").stdout.strip()
    assert job in run("jobs", "list", "--decision-id", "d-cancel").stdout
    assert json.loads(run("jobs", "cancel", job, "--json").stdout)["status"] == "canceled"
    assert "canceled" in run("jobs", "show", job).stdout
    assert run("jobs", "cancel", job).exit_code == exits.REFUSED
    listed = json.loads(run("jobs", "list", "--status", "canceled", "--json").stdout)
    assert job in [entry["id"] for entry in listed]


def test_models_and_methods(run):
    assert "A linear model" in run("models", "list").stdout
    assert "exact_shapley" in run("methods").stdout
    assert {"linear", "slow"} <= {model["name"] for model in json.loads(run("models", "list", "--json").stdout)}
    assert any(method["name"] == "kernel_shap" for method in json.loads(run("methods", "--json").stdout))


def test_checks_are_asked_for_by_name_and_told_in_a_line_each(run, rows):
    told = explain(run, rows, "--baseline", "zeros", "--quality", "infidelity, stability")
    assert told.exit_code == exits.OK, told.stderr
    lines = [line.strip() for line in told.stdout.splitlines()]
    assert sum(line.startswith("infidelity: pass (infidelity ") for line in lines) == 2
    assert sum(line.startswith("stability: pass (runs 0") for line in lines) == 2
    with_own = explain(run, rows, "--quality", '[{"check": "deletion", "samples": 40}]', "--json")
    (found, _) = (each["quality"]["checks"]["deletion"] for each in json.loads(with_own.stdout)["explanations"])
    assert len(found["curve"]) == len(found["share"]) == 4


def test_a_check_that_is_none_is_refused(run, rows):
    told = explain(run, rows, "--quality", "deltion")
    assert told.exit_code == exits.REFUSED
    assert "did you mean deletion" in told.stderr


def test_the_checks_are_listed(run):
    told = run("methods", "--checks")
    assert told.exit_code == exits.OK
    assert "randomisation" in told.stdout
    listed = json.loads(run("methods", "--checks", "--json").stdout)
    assert "infidelity" in {each["name"] for each in listed}
