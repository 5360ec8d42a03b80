"""What a worker offers: every method on every model, or the reason why not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
from far_sides import add_remote
from onnx import helper

from explainery.contract.catalogue import ModelEntry, Offer, Verdict
from explainery.contract.layers import LayerSpec
from explainery.settings import Settings
from workers.local import Local
from workers.offering import offer_of
from workers.registry import discover
from workers.repository import Repository
from workers.verdicts import Verdicts

REGISTRY = discover()
GRADIENTS = sorted(name for name, method in REGISTRY.methods.items() if method.SPEC.asks == ("gradients",))
INSIDE = sorted(name for name, method in REGISTRY.methods.items() if "internals" in method.SPEC.asks)
WOODED = sorted(name for name, method in REGISTRY.methods.items() if "trees" in method.SPEC.asks)
PICTURES = sorted(name for name, method in REGISTRY.methods.items() if method.SPEC.modality == "image")
TABLES = sorted(name for name, method in REGISTRY.methods.items() if method.SPEC.table)
OTHERS = sorted(set(REGISTRY.methods) - set(GRADIENTS) - set(INSIDE) - set(WOODED) - set(TABLES))


def offer(folder: Path, **settings: Any) -> Offer:
    return offer_of(REGISTRY, Repository(str(folder)).scan(), dataclasses.replace(Settings(), models=str(folder), **settings))


def entry(folder: Path, **settings: Any) -> ModelEntry:
    (found,) = offer(folder, **settings).models
    return found


def test_methods_and_runtimes_are_all_offered(tmp_path: Path) -> None:
    found = offer(tmp_path)
    assert [method.name for method in found.methods] == sorted(REGISTRY.methods)
    assert [runtime.name for runtime in found.runtimes] == sorted(REGISTRY.runtimes)
    assert found.models == ()


def test_every_method_works_on_a_differentiable_model(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4, version=3, inputs=repos.tensor_input("input", [4], "FP64", modality="tabular"))
    found = entry(tmp_path)
    for name in PICTURES:
        assert found.methods[name].reason == f"{name} explains inputs of modality image; this model has others."
    for name, availability in found.methods.items():
        if name in PICTURES:
            continue
        reason = "has no layers" if name in INSIDE else "is no sum of trees" if name in WOODED else None
        assert availability.available is (reason is None)
        assert f"a closed form {reason}" in str(availability.reason) if reason else availability.reason is None
    assert (found.name, found.version, found.runtime, found.players, found.fault) == ("m", 3, "stub", 4, None)


def test_every_method_works_on_an_onnx_model(tmp_path: Path) -> None:
    repos.add_onnx_linear(tmp_path, "m", np.ones((4, 1)), modality="tabular")
    found = entry(tmp_path).methods
    assert {name for name, availability in found.items() if not availability.available} == set(PICTURES)


def test_methods_of_tables_say_why_an_input_is_none(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 0, inputs=repos.tensor_input("a", [3]) + repos.tensor_input("b", [2], modality="tabular"))
    found = entry(tmp_path)
    assert len(TABLES) == 5
    for name in TABLES:
        assert not found.methods[name].available
        assert "input a is of modality tensor" in str(found.methods[name].reason)
    assert all(found.methods[name].available for name in OTHERS)


def test_gradient_methods_are_refused_where_the_file_shows_that_there_are_none(tmp_path: Path) -> None:
    """The operator that is missing is in the catalogue before any job; black-box methods stay."""
    node = helper.make_node("NonMaxSuppression", ["input", "input"], ["score"])
    repos.add_onnx(tmp_path, "m", [node], {}, repos.tensor_input("input", [4]), repos.output(1), input=["n", 4], score=["n", 1])
    repository = Repository(str(tmp_path))
    verdicts = Verdicts(repository, REGISTRY, Settings())
    verdicts.look(repository.scan())
    (found,) = offer_of(REGISTRY, repository.scan(), Settings(models=str(tmp_path)), verdicts.of).models
    assert found.verdict is not None
    for name in GRADIENTS:
        assert not found.methods[name].available
        assert "NonMaxSuppression has no gradient: it selects boxes." in str(found.methods[name].reason)
    assert all(found.methods[name].available for name in OTHERS)


def test_what_loading_has_shown_stands_above_what_the_file_shows(tmp_path: Path) -> None:
    repos.add_onnx_linear(tmp_path, "m", np.ones((4, 1)))
    repository = Repository(str(tmp_path))
    (found,) = repository.scan()
    verdicts = Verdicts(repository, REGISTRY, Settings())
    assert verdicts.of(found.digest) is None
    verdicts.look([found])
    seen = verdicts.of(found.digest)
    assert seen == Verdict(cannot={"trees": "the explained output is not an ensemble of trees: it is made of the input itself"})
    verdicts.note(found.digest, Verdict(cannot={"gradients": "they differ"}, parity=0.5))
    (listed,) = offer_of(REGISTRY, [found], Settings(models=str(tmp_path)), verdicts.of).models
    assert {listed.methods[name].reason for name in GRADIENTS} == {
        f"{name} asks for gradients: they differ." for name in GRADIENTS
    }
    verdicts.look([])
    assert verdicts.of(found.digest) is None


def test_gradient_methods_are_refused_on_whole_numbers(tmp_path: Path) -> None:
    both = repos.tensor_input("numbers", [2]) + repos.tensor_input("tokens", [2], "INT64")
    repos.add_stub(tmp_path, "m", 0, inputs=both)
    found = entry(tmp_path)
    for name in GRADIENTS:
        assert found.methods[name].reason == f"{name} asks for gradients: input tokens holds whole numbers, which have none."
    assert all(found.methods[name].available for name in OTHERS)


def test_a_model_that_settings_forbid_is_listed_with_the_reason(tmp_path: Path) -> None:
    repos.add_torch(tmp_path, "m", "nets:linear", {"features": 4}, repos.tensor_input("input", [4]), repos.output(1))
    found = entry(tmp_path)
    assert found.fault == "The factory's module nets is not allowed; add it to EXPLAINERY_FACTORIES."
    assert {availability.reason for availability in found.methods.values()} == {found.fault}
    assert not any(availability.available for availability in found.methods.values())
    assert entry(tmp_path, factories=("nets",)).fault is None


def test_code_formats_need_leave(tmp_path: Path) -> None:
    card = f'title = "m"\nformat = "pt2"\nfile = "m.pt2"\n{repos.tensor_input("input", [4])}{repos.output(1)}'
    repos.write(tmp_path, "m", card, {"m.pt2": b"anything"})
    assert "EXPLAINERY_ALLOW_CODE_FORMATS=1" in str(entry(tmp_path).fault)
    assert entry(tmp_path, allow_code_formats=True).fault is None


def test_a_format_or_modality_that_nothing_serves(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4)
    text = repos.tensor_input("input", [-1], "INT64", "text", tokenizer="tokenizer.json")
    (repos.add_stub(tmp_path, "words", 0, inputs=text) / "tokenizer.json").write_text("{}")
    textless = {name: plugin for name, plugin in REGISTRY.modalities.items() if name != "text"}
    stubless = dataclasses.replace(REGISTRY, runtimes={"onnx": REGISTRY.runtimes["onnx"]}, modalities=textless)
    settings = Settings(models=str(tmp_path))
    alien, words = offer_of(stubless, Repository(str(tmp_path)).scan(), settings).models
    assert alien.fault == "No runtime here loads format 'stub'."
    assert words.fault == "Inputs of modality text are not served here."
    assert alien.players is words.players is None


def test_a_remote_model_is_offered_where_its_host_is_allowed(tmp_path: Path) -> None:
    """What needs only values is on offer; the rest says why not, before anything is asked of the far side."""
    add_remote(tmp_path, "far", "http://models.test:8000")
    found = entry(tmp_path, remote_allowed=("models.test",))
    assert (found.fault, found.runtime, found.players) == (None, "remote", 4)
    assert all(found.methods[name].available for name in OTHERS)
    for name in GRADIENTS:
        assert "served elsewhere" in str(found.methods[name].reason)
    for allowed in ((), ("models.test:80",), ("*.models.test",), ("127.0.0.1",)):
        refused = entry(tmp_path, remote_allowed=allowed)
        assert "EXPLAINERY_REMOTE_ALLOWED" in str(refused.fault)
        assert not any(availability.available for availability in refused.methods.values())


def test_broken_cards_are_not_offered(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "good", 4)
    repos.write(tmp_path, "bad", "title = ")
    assert [found.name for found in offer(tmp_path).models] == ["good"]


PLAYERS = {
    "tensor": (repos.tensor_input("input", [2, 3]), 6),
    "open": (repos.tensor_input("input", [-1, 3]), None),
    "image": (repos.tensor_input("input", [3, 32, 32], modality="image", layout="NCHW"), 64),
    "series": (repos.tensor_input("input", [100], modality="series"), 15),
    "two": (repos.tensor_input("a", [3]) + repos.tensor_input("b", [4]), 7),
}


@pytest.mark.parametrize("name", PLAYERS)
def test_players_of_the_default_groups(tmp_path: Path, name: str) -> None:
    inputs, players = PLAYERS[name]
    repos.add_stub(tmp_path, "m", 0, inputs=inputs)
    assert entry(tmp_path).players == players


def test_the_offer_is_data_that_travels(lab: Local) -> None:
    """It goes through Redis as JSON and comes back equal, and is the same when made again."""
    found = offer_of(lab.registry, lab.repository.scan(), lab.settings)
    assert Offer.model_validate_json(found.model_dump_json()) == found
    assert offer_of(lab.registry, Repository(lab.settings.models_url).scan(), lab.settings) == found


def test_what_cannot_be_looked_into_says_so(tmp_path: Path) -> None:
    """TorchScript runs where no hook and no mode sees it."""
    card = f'title = "m"\nformat = "torchscript"\nfile = "m.ts"\n{repos.tensor_input("input", [4])}{repos.output(1)}'
    repos.write(tmp_path, "m", card, {"m.ts": b"not opened"})
    found = entry(tmp_path, allow_code_formats=True)
    assert found.methods["saliency"].available
    for name in INSIDE:
        assert "TorchScript cannot be looked into" in str(found.methods[name].reason)


def test_what_a_model_s_inside_lacks_is_said_before_a_job_asks(tmp_path: Path) -> None:
    """As far as its trial has shown: no map, no attention, one row at a time."""
    repos.add_onnx_linear(tmp_path, "m", np.ones((4, 1)), batch=3)
    repository = Repository(str(tmp_path))
    layers = (LayerSpec(path="score", type="MatMul", shape=(1,), parameters=4),)
    settings = Settings(models=str(tmp_path))
    verdict = Verdict(layers=layers, fixed_rows=3)
    (found,) = offer_of(REGISTRY, repository.scan(), settings, lambda digest: verdict).models
    reasons = {name: found.methods[name].reason for name in ("grad_cam", "attention_rollout", "deep_lift")}
    assert reasons == {
        "grad_cam": "grad_cam needs a layer with a spatial map; the model has none.",
        "attention_rollout": "attention_rollout needs a layer that computes attention weights; the model has none.",
        "deep_lift": "deep_lift compares two rows in one pass; the file takes 3 at a time: export it for any number.",
    }
    assert found.methods["layer_activation"].available
    assert found.verdict is not None
    assert found.verdict.layers is None  # published by themselves
