"""Which layers a model has, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from explainery.contract.errors import AmbiguousLayer, NoAttention, NoSpatialMap, UnknownLayer
from explainery.contract.layers import chosen, named
from workers.local import Local


def specs(lab: Local, name: str) -> Any:
    return {spec.path: spec for spec in lab.load(name).model.layers}  # type: ignore[attr-defined]


def test_the_layers_of_a_plain_net(inner_lab: Local, module: Callable[[str], nn.Module]) -> None:
    found, net = specs(inner_lab, "vgg"), module("vgg")
    assert list(found) == [path for path, _ in net.named_modules() if path]
    shown = torch.zeros(1, 3, 16, 16)
    for path, part in net.named_children():
        shown = part(shown)
        assert found[path].shape == tuple(shown.shape[1:])
        assert found[path].type == type(part).__name__
        assert found[path].parameters == sum(tensor.numel() for tensor in part.parameters())
    assert found["conv2"].grid == (8, 8)
    assert found["conv2"].convolution
    assert found["dense1"].grid is None


def test_a_layer_that_is_called_twice_has_a_name_for_each_call(inner_lab: Local) -> None:
    found = specs(inner_lab, "resnet")
    assert {"block1.relu#1", "block1.relu#2"} <= set(found)
    with pytest.raises(AmbiguousLayer, match=r"block1\.relu#1, block1\.relu#2"):
        named(list(found.values()), "block1.relu")


@pytest.mark.parametrize(("name", "path"), [
    ("encoder", "encoder.layers.0.self_attn"), ("encoder-second", "encoder.layers.0.self_attn"),
    ("bert", "layers.1.attention"), ("bert-open", "layers.1.attention"), ("vit", "layers.0.attention"),
])  # fmt: skip
def test_attention_is_found_wherever_it_is_computed(inner_lab: Local, name: str, path: str) -> None:
    found = specs(inner_lab, name)
    tokens = {"encoder": 9, "encoder-second": 9, "vit": 17}.get(name, 12)
    heads = 2 if name.startswith("encoder") else 4
    assert found[path].attention == (heads, tokens, tokens)
    assert sum(spec.attention is not None for spec in found.values()) == 2


def test_rows_are_found_where_they_are_second(inner_lab: Local) -> None:
    first, second = specs(inner_lab, "encoder"), specs(inner_lab, "encoder-second")
    assert first["encoder.layers.1.norm2"].shape == second["encoder.layers.1.norm2"].shape == (9, 8)


def test_grids_of_transformers(inner_lab: Local) -> None:
    assert (specs(inner_lab, "vit")["layers.1"].grid, specs(inner_lab, "vit")["layers.1"].tokens_before) == ((4, 4), 1)
    assert (specs(inner_lab, "vit-mean")["layers.1"].grid, specs(inner_lab, "vit-mean")["layers.1"].tokens_before) == (
        (4, 4),
        0,
    )


def test_choosing(inner_lab: Local) -> None:
    resnet, bert = (inner_lab.load(name).model.layers for name in ("resnet", "bert"))  # type: ignore[attr-defined]
    assert chosen(resnet, "auto", "map").path == "block2.bn2"
    assert chosen(list(specs(inner_lab, "vit").values()), "auto", "map").path == "layers.0"
    assert chosen(bert, "auto", "attention").path == "layers.1.attention"
    with pytest.raises(UnknownLayer, match=r"did you mean block2\.conv2"):
        chosen(resnet, "block2.conv_2", "any")
    with pytest.raises(NoSpatialMap, match="head is not one that puts out a spatial map"):
        chosen(resnet, "head", "map")
    with pytest.raises(NoSpatialMap, match="no layer that puts out a spatial map"):
        chosen(bert, "auto", "map")
    with pytest.raises(NoAttention, match="no layer that computes attention"):
        chosen(resnet, "auto", "attention")
