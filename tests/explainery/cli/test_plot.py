"""`explainery plot`, against the real service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from explainery.cli import exits
from explainery.cli.main import main
from explainery.client import Client


@pytest.fixture
def run(service):
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--url", service.url])

    return invoke


@pytest.fixture(scope="module")
def job(service) -> str:
    with Client(service.url) as client:
        submitted = client.submit("linear", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "exact_shapley", baseline="zeros", wait_s=30)
        return submitted.id


@pytest.mark.parametrize(
    ("suffix", "begins"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("html", b"<!doctype html>"), ("json", b"{")]
)
def test_the_suffix_says_the_form(run, job, tmp_path: Path, suffix: str, begins: bytes):
    path = tmp_path / f"picture.{suffix}"
    told = run("plot", job, "-o", str(path), "--kind", "bars", "--row", "1")
    assert (told.exit_code, told.stdout) == (exits.OK, f"{path}\n")
    assert path.read_bytes().startswith(begins)


def test_what_is_saved_is_what_the_service_draws(run, job, tmp_path: Path):
    run("plot", job, "--output", str(tmp_path / "figure.json"), "--row", "1")
    figure = json.loads((tmp_path / "figure.json").read_text())
    assert figure["kind"] == "waterfall"
    rows = figure["table"]["rows"]
    assert [row[:2] for row in rows[1:-1]] == [["debt", "6 EUR"], ["income", "5"], ["age", "4 years"]]
    assert [row[2] for row in rows] == pytest.approx([0.0, 18.0, 10.0, 4.0, 32.0])


def test_mistakes_are_sentences(run, job, tmp_path: Path):
    path = tmp_path / "figure.svg"
    assert run("plot", job, "-o", str(tmp_path / "figure.pdf")).exit_code == exits.USAGE
    unfit = run("plot", job, "-o", str(path), "--kind", "heatmap")
    assert unfit.exit_code == exits.REFUSED
    assert "Kinds that fit: waterfall, bars" in unfit.stderr
    unknown = run("plot", job, "-o", str(path), "--kind", "../../result?")
    assert unknown.exit_code == exits.REFUSED
    assert run("plot", job, "-o", str(path), "--row", "9").exit_code == exits.REFUSED
    assert run("plot", "01" + "0" * 24, "-o", str(path)).exit_code == exits.REFUSED
    assert not path.exists()


def test_a_job_that_has_not_ended_is_waited_for(run, service, tmp_path: Path):
    with Client(service.url) as client:
        going = client.submit("slow", [[1.0, 2.0, 3.0]], "exact_shapley")
        told = run("plot", going.id, "-o", str(tmp_path / "figure.svg"))
        assert told.exit_code == exits.OK, told.stderr
        late = client.submit("slow", [[3.0, 2.0, 1.0]], "smoothgrad", params={"samples": 500})
        told = run("plot", late.id, "-o", str(tmp_path / "late.svg"), "--timeout", "0.01")
        assert told.exit_code == exits.TIMED_OUT
        client.cancel(late)


def test_a_job_that_failed_exits_1(run, service, tmp_path: Path):
    with Client(service.url) as client:
        failed = client.submit("broken", [{"left": [1.0, 2.0], "right": [3.0]}], "saliency", wait_s=30)
    told = run("plot", failed.id, "-o", str(tmp_path / "figure.svg"))
    assert told.exit_code == exits.FAILED
