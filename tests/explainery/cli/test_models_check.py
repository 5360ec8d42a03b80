"""`explainery models check` says what is wrong with a card, and where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from explainery.cli.main import main

CARD = """
title = "A linear model"
format = "onnx"
file = "model.onnx"

[[inputs]]
name = "x"
datatype = "FP32"
shape = [-1, 3]
modality = "tabular"
features = ["age", "income", "debt"]
units = ["years", "", ""]

[[outputs]]
name = "y"
datatype = "FP32"
shape = [-1, 2]

[baseline]
x = "baseline.npy"

[sample]
file = "sample.npz"
"""


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version folder without a fault."""
    folder = tmp_path / "models" / "linear" / "1"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(CARD)
    (folder / "model.onnx").write_bytes(b"not looked into")
    np.save(folder / "baseline.npy", np.zeros(3, np.float32))
    np.savez(folder / "sample.npz", x=np.zeros((2, 3), np.float32))
    return folder


def check(folder: Path) -> tuple[int, dict[str, str]]:
    """Exit code, and place -> message over all cards."""
    run = CliRunner().invoke(main, ["models", "check", "--json", str(folder)])
    faults = [fault for report in json.loads(run.stdout) for fault in report["faults"]]
    return run.exit_code, {fault["loc"]: fault["msg"] for fault in faults}


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_good_card_is_ok_from_repository_model_and_version(version: Path, levels: int):
    folder = [version, *version.parents][levels]
    run = CliRunner().invoke(main, ["models", "check", str(folder)])
    assert (run.exit_code, run.stdout) == (0, f"{version}: ok\n")


def test_faults_of_the_card_are_placed(version: Path):
    text = CARD.replace('"FP32"', '"FP31"', 1).replace('title = "A linear model"', 'tilte = "A linear model"')
    (version / "card.toml").write_text(text)
    code, faults = check(version)
    assert code == 1
    assert set(faults) == {"title", "tilte", "inputs.0.datatype"}


def test_limits_that_name_no_feature_are_placed(version: Path):
    limits = 'actionability = {immutable = ["height"], steps = {age = 1}}\n'
    (version / "card.toml").write_text(CARD.replace('modality = "tabular"\n', f'modality = "tabular"\n{limits}'))
    code, faults = check(version)
    assert code == 1
    assert "immutable names a feature or group that is not there" in faults["inputs.0"]
    (version / "card.toml").write_text(
        CARD.replace('modality = "tabular"\n', f'modality = "tabular"\n{limits}').replace("height", "age")
    )
    assert check(version)[0] == 0


def test_broken_toml_says_the_line(version: Path):
    (version / "card.toml").write_text("title = nothing\n")
    code, faults = check(version)
    assert code == 1
    assert "line 1" in faults["card.toml"]


def test_missing_files_are_named(version: Path):
    for name in ("model.onnx", "baseline.npy", "sample.npz"):
        (version / name).unlink()
    code, faults = check(version)
    assert code == 1
    assert set(faults) == {"model.onnx", "baseline.npy", "sample.npz"}


def test_arrays_must_fit(version: Path):
    np.save(version / "baseline.npy", np.zeros(4))
    np.savez(version / "sample.npz", x=np.zeros((2, 5)))
    _, faults = check(version)
    assert faults["baseline.npy"] == "has shape [4]; one row of x has [3]"
    assert faults["sample.npz"] == "x has shape [2, 5], the card says [-1, 3]"


def test_names_in_the_sample_must_be_the_inputs(version: Path):
    np.savez(version / "sample.npz", z=np.zeros((2, 3)))
    run = CliRunner().invoke(main, ["models", "check", str(version)])
    assert run.exit_code == 1
    assert "sample.npz: has no array called x" in run.stdout
    assert "sample.npz: has an array z, which is no input" in run.stdout


def test_pickled_arrays_are_refused(version: Path):
    np.save(version / "baseline.npy", np.array([{}], dtype=object), allow_pickle=True)
    (version / "sample.npz").write_bytes(b"no archive")
    _, faults = check(version)
    assert set(faults) == {"baseline.npy", "sample.npz"}


def test_a_version_is_a_whole_number(version: Path):
    version.rename(version.with_name("v1"))
    code, faults = check(version.parent)
    assert code == 1
    assert "whole number" in faults["v1"]


def test_a_version_folder_without_a_card_is_a_fault(version: Path):
    (version.parent / "2").mkdir()
    code, faults = check(version.parents[1])
    assert (code, faults) == (1, {"card.toml": "this version folder has none"})


def test_a_folder_without_models_is_a_fault(tmp_path: Path):
    code, faults = check(tmp_path)
    assert code == 1
    assert "expected <model>/<version>/card.toml" in faults["card.toml"]


def test_one_bad_model_does_not_hide_the_others(version: Path):
    bad = version.parents[1] / "bad" / "1"
    bad.mkdir(parents=True)
    (bad / "card.toml").write_text("nonsense")
    run = CliRunner().invoke(main, ["models", "check", str(version.parents[1])])
    assert run.exit_code == 1
    assert f"{bad}: 1 fault" in run.stdout
    assert f"{version}: ok" in run.stdout


TEXT_CARD = """
title = "A model of texts"
format = "onnx"
file = "model.onnx"

[[inputs]]
name = "ids"
datatype = "INT64"
shape = [-1, -1]
modality = "text"
tokenizer = "tokenizer.json"
mask_token = "<hole>"

[[outputs]]
name = "y"
datatype = "FP32"
shape = [-1, 2]
"""


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"model": {"vocab": {"<hole>": 0}}}', None),
        (b'{"model": {"vocab": [["<hole>", 0.0]]}}', None),
        (b'{"added_tokens": [{"content": "<hole>"}], "model": {"vocab": {"a": 0}}}', None),
        (b'{"model": {"vocab": {"a": 0}}}', "inputs.0.mask_token"),
        (b"{}", "is no tokenizer.json"),
        (b"[", "is no tokenizer.json"),
        (b"\xff", "is no tokenizer.json"),
    ],
)
def test_tokenizers(version: Path, content: bytes, fault: str | None) -> None:
    (version / "card.toml").write_text(TEXT_CARD)
    (version / "tokenizer.json").write_bytes(content)
    done = CliRunner().invoke(main, ["models", "check", str(version)])
    assert (done.exit_code == 0) is (fault is None), done.output
    assert fault is None or fault in done.output


def test_a_tokenizer_that_is_not_there_is_named(version: Path) -> None:
    (version / "card.toml").write_text(TEXT_CARD)
    assert "tokenizer.json" in CliRunner().invoke(main, ["models", "check", str(version)]).output
