"""`explainery models add`: what it writes, what it says is left, and what it refuses. Real files, a real repository."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import repos
import texts
import torch
from click.testing import CliRunner, Result
from onnx import TensorProto, helper
from safetensors.numpy import load, save

from explainery.cli.main import main
from explainery.contract.model_card import ModelCard, parse_card

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    monkeypatch.setenv("EXPLAINERY_MODELS", str(folder))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["models", "add", *map(str, arguments)])


def added(*arguments: object) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code != 0
    assert "Traceback" not in done.output
    return done.output


def card_of(report: dict[str, Any]) -> ModelCard:
    return parse_card((Path(report["place"]) / "card.toml").read_text(encoding="utf-8"))


def onnx_file(folder: Path, output: str = "probabilities", columns: int = 3) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["pixels"], [output]), helper.make_node("ArgMax", ["pixels"], ["label"], keepdims=0)],
        "g",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", columns])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", columns]),
        ],
    )
    path = folder / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def test_an_onnx_file_gets_a_card_that_can_be_used(tmp_path: Path, models: Path) -> None:
    report = added(onnx_file(tmp_path))
    assert (report["model"], report["place"], report["usable"]) == ("net@1", f"{models}/net/1", True)
    card = card_of(report)
    assert (card.format, card.file, card.score) == ("onnx", "net.onnx", "probabilities")
    assert [(spec.name, spec.datatype, spec.shape) for spec in card.inputs] == [("pixels", "FP32", (-1, 3))]
    assert (card.score_output.kind, card.score_output.shape) == ("probabilities", (-1, 3))
    assert any("labels" in each for each in report["left"])
    assert (models / "net" / "1" / "net.onnx").read_bytes() == (tmp_path / "net.onnx").read_bytes()


def test_the_next_version_is_taken_and_none_is_overwritten(tmp_path: Path, models: Path) -> None:
    file = onnx_file(tmp_path)
    assert [added(file)["model"], added(file)["model"], added(file, "--version", 7)["model"]] == ["net@1", "net@2", "net@7"]
    before = (models / "net" / "2" / "card.toml").read_bytes()
    assert "never overwritten" in refused(file, "--version", 2, "--name", "net")
    assert (models / "net" / "2" / "card.toml").read_bytes() == before
    assert sorted(path.name for path in (models / "net").iterdir()) == ["1", "2", "7"]


def test_a_sample_beside_it_is_named_in_the_card(tmp_path: Path, models: Path) -> None:
    np.savez(tmp_path / "rows.npz", pixels=np.ones((2, 3), np.float32))
    report = added(onnx_file(tmp_path), tmp_path / "rows.npz", "--name", "other")
    assert report["model"] == "other@1"
    sample = card_of(report).sample
    assert sample is not None
    assert sample.file == "rows.npz"
    check = CliRunner().invoke(main, ["models", "check", report["place"]])
    assert check.exit_code == 0, check.output


def test_a_tokenizer_beside_it_makes_a_model_of_texts(tmp_path: Path, models: Path) -> None:
    graph = texts.add_sum(tmp_path / "made") / "model.onnx"
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_bytes(texts.tokenizer())
    report = added(graph, tokenizer, "--name", "words")
    assert report["usable"]
    assert [spec.modality for spec in card_of(report).inputs] == ["text", "text_mask", "text_types"]
    assert card_of(report).inputs[0].tokenizer == "tokenizer.json"
    assert any("max_tokens" in each for each in report["left"])
    assert not any("tensor is assumed" in each for each in report["left"])
    check = CliRunner().invoke(main, ["models", "check", report["place"]])
    assert check.exit_code == 0, check.output


def test_a_tokenizer_of_a_model_without_input_ids_is_left_to_do(tmp_path: Path, models: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_bytes(texts.tokenizer())
    report = added(onnx_file(tmp_path), tokenizer)
    assert any('modality = "text", tokenizer = "tokenizer.json"' in each for each in report["left"])
    assert (Path(report["place"]) / "tokenizer.json").exists()


def test_a_card_of_ones_own_is_taken_as_it_is(tmp_path: Path, models: Path) -> None:
    card = tmp_path / "mine.toml"
    card.write_text(f'title = "Mine"\nformat = "onnx"\nfile = "net.onnx"\n{repos.tensor_input("pixels", [3])}{repos.output(3)}')
    report = added(onnx_file(tmp_path), "--card", card)
    assert (Path(report["place"]) / "card.toml").read_bytes() == card.read_bytes()
    assert report["left"] == []
    card.write_text(card.read_text() + '[sample]\nfile = "gone.npz"\n')
    assert "gone.npz, which is not among the files" in refused(tmp_path / "net.onnx", "--card", card)


def test_weights_are_put_there_with_what_is_left(tmp_path: Path, models: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(save({"weight": np.zeros((2, 3), np.float32)}))
    report = added(tmp_path / "w.safetensors")
    assert not report["usable"]
    assert [each.split(":")[0] for each in report["left"]] == ["factory", "factory_args", "inputs", "outputs", "sample"]
    assert "1 tensors, 6 numbers" in report["left"][0]
    text = (Path(report["place"]) / "card.toml").read_text()
    assert "# fill in factory:" in text
    done = run(tmp_path / "w.safetensors", "--factory", "mymodels:build")
    assert "It cannot be used before card.toml is complete:" in done.output
    assert 'factory = "mymodels:build"' in (models / "w" / "2" / "card.toml").read_text()


def test_a_state_dict_becomes_safetensors(tmp_path: Path, models: Path) -> None:
    net = torch.nn.Linear(3, 2)
    for number, content in enumerate((net.state_dict(), {"state_dict": net.state_dict()})):
        torch.save(content, tmp_path / "linear.pt")
        report = added(tmp_path / "linear.pt")
        assert report["model"] == f"linear@{number + 1}"
        found = load((Path(report["place"]) / "linear.safetensors").read_bytes())
        np.testing.assert_array_equal(found["weight"], net.weight.detach().numpy())
        assert not (Path(report["place"]) / "linear.pt").exists()


def test_a_pickle_is_not_opened(tmp_path: Path, models: Path) -> None:
    import pickle

    import hostile

    marker = tmp_path / "marker"
    (tmp_path / "m.pt").write_bytes(pickle.dumps(hostile.Evil(marker)))
    assert "no plain state dict" in refused(tmp_path / "m.pt")
    torch.save(torch.nn.Linear(3, 2), tmp_path / "whole.pt")
    assert "no plain state dict" in refused(tmp_path / "whole.pt")
    assert not marker.exists()
    assert not models.exists()


def hub(folder: Path) -> Path:
    place = folder / "models--somebody--net" / "snapshots" / COMMIT
    place.mkdir(parents=True)
    for number, name in enumerate(("a", "b")):
        (place / f"model-0000{number + 1}-of-00002.safetensors").write_bytes(save({name: np.full(3, number, np.float32)}))
    (place / "pytorch_model.bin").write_bytes(b"a pickle")
    config = {"architectures": ["NetForClassification"], "id2label": {"0": "no", "1": "yes"}}
    (place / "config.json").write_text(json.dumps(config))
    return place


def test_a_hub_folder_at_its_commit(tmp_path: Path, models: Path) -> None:
    report = added(hub(tmp_path), "--name", "net")
    found = load((models / "net" / "1" / "model.safetensors").read_bytes())
    assert sorted(found) == ["a", "b"]
    assert COMMIT in (models / "net" / "1" / "card.toml").read_text().splitlines()[0]
    assert "NetForClassification" in report["left"][0]
    assert any("no, yes" in each for each in report["left"])
    assert sorted(path.name for path in (models / "net" / "1").iterdir()) == ["card.toml", "model.safetensors"]


def test_a_hub_folder_must_be_pinned_and_hold_safetensors(tmp_path: Path, models: Path) -> None:
    loose = hub(tmp_path).rename(tmp_path / "main")
    assert "not pinned to a commit" in refused(loose)
    assert "not pinned to a commit" in refused(loose, "--revision", "main")
    assert added(loose, "--revision", COMMIT, "--name", "net")["model"] == "net@1"
    for shard in loose.glob("*.safetensors"):
        shard.unlink()
    assert "no .safetensors file" in refused(loose, "--revision", COMMIT)


def test_from_a_url_into_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = fsspec.filesystem("memory")
    store.pipe_file("/shop/net.onnx", onnx_file(tmp_path).read_bytes())
    monkeypatch.setenv("EXPLAINERY_MODELS", "memory://added")
    try:
        report = added("memory://shop/net.onnx")
        assert report["place"] == "memory://added/net/1"
        assert parse_card(store.cat_file("/added/net/1/card.toml").decode()).file == "net.onnx"
        assert "never overwritten" in refused("memory://shop/net.onnx", "--version", 1)
        assert "cannot be read" in refused("memory://shop/gone.onnx")
    finally:
        store.rm("/shop", recursive=True)
        store.rm("/added", recursive=True)


def test_a_source_is_named_without_its_secrets(tmp_path: Path, models: Path) -> None:
    told = refused("nosuch://user:hunter2@host/net.onnx?token=hunter3")
    assert "nosuch://host/net.onnx" in told
    assert "hunter" not in told


REFUSED = {
    "no model at all": ("notes.txt", b"notes", "must end in .onnx"),
    "no ONNX": ("net.onnx", b"\xff\xff", "no readable ONNX model"),
    "no safetensors": ("w.safetensors", b"nonsense, and more of it", "no safetensors file"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_leaves_nothing(tmp_path: Path, models: Path, what: str) -> None:
    name, content, words = REFUSED[what]
    (tmp_path / name).write_bytes(content)
    assert words in refused(tmp_path / name)
    assert "is no file, no folder and no URL" in refused(tmp_path / "gone.onnx")
    assert not models.exists()


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "", "x" * 129])
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, models: Path, name: str) -> None:
    if name:
        assert "model's name" in refused(onnx_file(tmp_path), "--name", name)
        assert not models.exists()


def test_mlflow_is_an_extra(models: Path) -> None:
    assert "pip install 'explainery[mlflow]'" in refused("models:/churn/3")


class Signature(types.SimpleNamespace):
    """As mlflow.models.ModelSignature: schemas whose `inputs` are the specs, for outputs too."""


@pytest.mark.parametrize("uri", ["models:/churn/3", "models:/churn@champion"])
def test_a_registered_model_with_its_signature(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """By a stand-in for MLflow: the two calls that are made of it, on a folder as mlflow.onnx writes it."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    onnx_file(folder)
    columns = [types.SimpleNamespace(name=name, type=types.SimpleNamespace(name="float")) for name in ("age", "income", "debt")]
    schema = types.SimpleNamespace(inputs=columns, is_tensor_spec=lambda: False)
    asked: list[str] = []
    stand_in: Any = types.ModuleType("mlflow")
    stand_in.artifacts = types.SimpleNamespace(download_artifacts=lambda uri: asked.append(uri) or str(folder))
    info = types.SimpleNamespace(signature=Signature(inputs=schema, outputs=None))
    stand_in.models = types.SimpleNamespace(get_model_info=lambda uri: info)
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    report = added(uri)
    assert (report["model"], asked) == ("churn@1", [uri])
    (table,) = card_of(report).inputs
    assert (table.modality, table.features) == ("tabular", ("age", "income", "debt"))
    assert (models / "churn" / "1" / "card.toml").read_text().startswith(f"# from {uri}\n")
