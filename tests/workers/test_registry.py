"""Plugins are found by looking; what cannot be used is said by name when the worker starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.registry import PluginError, Registry, discover

METHOD = '''"""The drop of the output when a feature goes, by a dropped-in file."""

from __future__ import annotations

from dataclasses import dataclass

from explainery.contract.catalogue import MethodSpec
from workers.coalitions import all_but_one
from workers.questions import Solution, Values

SPEC = MethodSpec(name="{name}", title="Mine", summary="Mine.", asks=("values",), completeness=False, reference="none")


@dataclass(frozen=True)
class Kept:
    """Dataclasses work in dropped-in files."""

    value: float


def explain(game, params):
    without = yield Values(all_but_one(game.players))
    return Solution(per_player=Kept(game.instance_output).value - without)


def cost(players, params):
    return players
'''
MODALITY = "def decode(): ...\ndef groups(): ...\ndef baseline(): ...\n"
RUNTIME = """from explainery.contract.catalogue import RuntimeSpec
SPEC = RuntimeSpec(name="{name}", title="Mine", formats=("{format}",), answers=("values",))
def refuses(card, settings): ...
def load(card, files, place): ...
"""


def drop(folder: Path, file: str, text: str) -> Path:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    return folder


def test_the_house_has_its_own() -> None:
    found = discover()
    assert {"saliency", "kernel_shap", "exact_shapley", "integrated_gradients"} <= set(found.methods)
    assert set(found.runtimes) == {"torch", "onnx", "remote", "stub"}
    assert set(found.modalities) == {"image", "series", "tabular", "tensor", "text"}


def test_a_format_finds_its_runtime() -> None:
    found: Registry = discover()
    for name, runtime in found.runtimes.items():
        for file_format in runtime.SPEC.formats:
            assert found.runtime_of(file_format) is found.runtimes[name]
    assert found.runtime_of("floppy") is None


def test_files_of_a_plugin_folder_are_found(tmp_path: Path) -> None:
    drop(tmp_path, "methods/mine.py", METHOD.format(name="mine"))
    drop(tmp_path, "methods/_not_this.py", "raise RuntimeError")
    drop(tmp_path, "runtimes/far.py", RUNTIME.format(name="far", format="floppy"))
    drop(tmp_path, "modalities/sound.py", MODALITY)
    found = discover([str(tmp_path)])
    assert found.methods["mine"].SPEC.title == "Mine"
    assert "saliency" in found.methods
    assert found.runtime_of("floppy") is found.runtimes["far"]
    assert "sound" in found.modalities
    assert "mine" not in discover().methods


def test_files_of_one_name_in_two_folders_do_not_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        drop(tmp_path / name, "methods/mine.py", METHOD.format(name=name))
    found = discover([str(tmp_path / "one"), str(tmp_path / "two")])
    assert found.methods["one"].SPEC.name == "one"
    assert found.methods["two"].SPEC.name == "two"


WRONG = {
    "without its names": ("methods/mine.py", "SPEC = None\n", r"mine.py: a file in methods/ must define explain, cost$"),
    "a modality without its names": ("modalities/m.py", "def decode(): ...\n", r"must define groups, baseline$"),
    "with the name of another": ("methods/mine.py", METHOD.format(name="saliency"), r"both called 'saliency': rename one$"),
    "a modality with the name of another": ("modalities/image.py", MODALITY, r"both called 'image': rename one$"),
    "with the format of another": ("runtimes/r.py", RUNTIME.format(name="r", format="onnx"), r"both load format 'onnx'"),
    "that is no Python": ("methods/mine.py", "def (", r"mine.py cannot be imported: SyntaxError"),
    "that raises": ("methods/mine.py", "import nothing_of_that_name", r"mine.py cannot be imported: ModuleNotFoundError"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, fault: str) -> None:
    file, text, words = WRONG[fault]
    with pytest.raises(PluginError, match=words):
        discover([str(drop(tmp_path, file, text))])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"EXPLAINERY_PLUGINS names .*, which is no folder"):
        discover([str(tmp_path / "nowhere")])


def test_a_method_is_left_out() -> None:
    assert "lrp" in discover().methods
    assert set(discover().methods) - set(discover((), ["lrp", "saliency"]).methods) == {"lrp", "saliency"}


def test_a_method_to_leave_out_that_is_none_is_named() -> None:
    with pytest.raises(PluginError, match=r"EXPLAINERY_METHODS_OFF names lpr; methods are: .*lrp"):
        discover((), ["lpr"])
