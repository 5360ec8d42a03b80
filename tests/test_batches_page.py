"""The example of docs/batches.md runs, and the command line does the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import repos
from blocks import blocks
from serving import run_block, serving

PAGE = (Path(__file__).parents[1] / "docs" / "batches.md").read_text(encoding="utf-8")


@pytest.mark.timeout(240)
def test_the_example_of_the_page_runs(tmp_path: Path):
    (example,) = [block.code for block in blocks(PAGE) if block.runs]
    table = repos.tensor_input("input", [3], "FP64", modality="tabular", features=["age", "income", "debt"])
    repos.add_stub(tmp_path / "models", "linear", 3, weights=[1.0, 2.0, 3.0], inputs=table)
    (tmp_path / "rows.csv").write_text("debt,age,income\n" + "".join(f"{n},{-n},2\n" for n in range(40)))
    with serving(tmp_path / "home", tmp_path / "models") as url:
        said = run_block("python", example, url, tmp_path).splitlines()
        assert said[0] == "completed 500 of 500"
        assert [line.split()[0] for line in said[1:]] == ["age", "income", "debt"]
        assert said[1].split()[2] == "1.0"  # the more age, the more risk
        submit = "explainery batch submit rows.csv --model linear --method exact_shapley --wait --json"
        submit += " --target null --baseline zeros"
        batch = json.loads(run_block("bash", submit, url, tmp_path))
        assert (batch["status"], batch["request_counts"]["completed"]) == ("completed", 40)
        run_block("bash", f"explainery batch results {batch['id']} --output answers.jsonl", url, tmp_path)
        lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
        assert {line["custom_id"] for line in lines} == {f"row-{n}" for n in range(40)}
        (seventh,) = [line["response"]["body"]["explanations"][0] for line in lines if line["custom_id"] == "row-7"]
        assert seventh["attributions"][0]["data"] == pytest.approx([-7.0, 4.0, 21.0])
        summary = json.loads(run_block("bash", f"explainery batch summary {batch['id']} --json", url, tmp_path))
        (group,) = summary["groups"]
        assert [each["mean_absolute"] for each in group["features"]] == pytest.approx([19.5, 4.0, 58.5])
        assert [each["direction"] for each in group["features"]] == [pytest.approx(1.0), None, pytest.approx(1.0)]
        assert "40 rows" in run_block("bash", f"explainery batch summary {batch['id']}", url, tmp_path)
        assert "40 answered, 0 failed of 40" in run_block("bash", f"explainery batch status {batch['id']}", url, tmp_path)
        assert batch["id"] in run_block("bash", "explainery batch list", url, tmp_path)
