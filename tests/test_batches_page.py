"""The example of docs/batches.md runs, and the command line does the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import repos
from blocks import blocks
from click.testing import CliRunner
from serving import run_block, serving

from explainery.cli.main import main

PAGE = (Path(__file__).parents[1] / "docs" / "batches.md").read_text(encoding="utf-8")


@pytest.mark.timeout(240)
def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (example,) = [block.code for block in blocks(PAGE) if block.runs]
    table = repos.tensor_input("input", [3], "FP64", modality="tabular", features=["age", "income", "debt"])
    repos.add_stub(tmp_path / "models", "linear", 3, weights=[1.0, 2.0, 3.0], inputs=table)
    (tmp_path / "rows.csv").write_text("debt,age,income\n" + "".join(f"{n},{-n},2\n" for n in range(40)))
    with serving(tmp_path / "home", tmp_path / "models") as url:
        said = run_block("python", example, url, tmp_path).splitlines()
        assert said[0] == "completed 500 of 500"
        assert [line.split()[0] for line in said[1:]] == ["age", "income", "debt"]
        assert said[1].split()[2] == "1.0"  # the more age, the more risk
        monkeypatch.chdir(tmp_path)
        options = (
            "--model",
            "linear",
            "--method",
            "exact_shapley",
            "--target",
            "null",
            "--baseline",
            "zeros",
            "--wait",
            "--json",
        )
        batch = json.loads(command(url, "submit", "rows.csv", *options, "--json"))
        assert (batch["status"], batch["request_counts"]["completed"]) == ("completed", 40)
        command(url, "results", batch["id"], "--output", "answers.jsonl")
        lines = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
        assert {line["custom_id"] for line in lines} == {f"row-{n}" for n in range(40)}
        (seventh,) = [line["response"]["body"]["explanations"][0] for line in lines if line["custom_id"] == "row-7"]
        assert seventh["attributions"][0]["data"] == pytest.approx([-7.0, 4.0, 21.0])
        (group,) = json.loads(command(url, "summary", batch["id"], "--json"))["groups"]
        assert [each["mean_absolute"] for each in group["features"]] == pytest.approx([19.5, 4.0, 58.5])
        assert [each["direction"] for each in group["features"]] == [pytest.approx(1.0), None, pytest.approx(1.0)]
        assert "40 rows" in command(url, "summary", batch["id"])
        assert "40 answered, 0 failed of 40" in command(url, "status", batch["id"])
        assert batch["id"] in command(url, "list")
        assert "no such lines" in command(url, "results", batch["id"], "--errors")
        refused = CliRunner().invoke(main, ["batch", "cancel", batch["id"], "--url", url])
        assert (refused.exit_code != 0, "ended already" in refused.output) == (True, True)


def command(url: str, *words: str) -> str:
    """What `explainery batch` prints."""
    done = CliRunner().invoke(main, ["batch", *words, "--url", url], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output
