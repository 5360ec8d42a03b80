"""Layers by their names in torch: what the translation captures there is what torch's own hook sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from onnx import helper
from zoo.entries import NETS
from zoo.exports import DYNAMO, exported, seeded

from workers.runtimes.onnx.named import named_tensors
from workers.runtimes.onnx.scopes import SCOPES, scopes_of
from workers.runtimes.onnx.translate import read_model, translate

EXPORTERS = [(False, 17), pytest.param(True, 18, marks=pytest.mark.skipif(not DYNAMO, reason="needs onnxscript"))]


def hooked(net: torch.nn.Module, feeds: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What each module puts out, cloned: a module in place may write over it later."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: Any, given: Any, answer: Any) -> None:
            if isinstance(answer, torch.Tensor):
                seen[name] = answer.detach().clone()

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in net.named_modules() if name]
    with torch.no_grad():
        net(*feeds.values())
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize(("dynamo", "opset"), EXPORTERS)
@pytest.mark.parametrize("name", ["cnn", "resnet", "unet", "vit", "bert"])
def test_layers_by_name(name: str, dynamo: bool, opset: int) -> None:
    torch.backends.mha.set_fastpath_enabled(False)
    net, inputs = seeded(NETS[name][0]), NETS[name][1]()
    feeds = {key: torch.from_numpy(array) for key, array in inputs.items()}
    translation = translate(read_model(exported(net, inputs, opset, dynamo=dynamo)), ["score"])
    layers, seen = {each.path: each.tensor for each in named_tensors(translation.graph)}, hooked(net, feeds)
    found = {layer: layers[layer] for layer in seen if layer in layers}
    with torch.no_grad():
        captured = translation.graph.run(feeds, tuple(found.values()))
    other = {
        layer
        for layer, tensor in found.items()
        if captured[tensor].shape != seen[layer].shape or not torch.allclose(captured[tensor], seen[layer], atol=1e-4)
    }
    # exporters drop what does nothing, and fuse batch normalisations into the convolution before them
    modules = dict(net.named_modules())
    assert len(found) >= 0.75 * len(seen)
    assert not {layer for layer in other if not isinstance(modules[layer], torch.nn.Conv2d)}
    assert len(other) < 0.4 * len(found)


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("/conv1/Conv", ("conv1",)),
        ("/layer1/layer1.0/conv1/Conv", ("layer1", "layer1.0", "layer1.0.conv1")),
        ("/Add", ()),
        ("Conv_0", ()),
        ("", ()),
        ("/" + "a/" * 4000, ()),
    ],
)
def test_paths_of_the_script_exporter(name: str, scopes: tuple[str, ...]) -> None:
    assert scopes_of(helper.make_node("Relu", ["x"], ["y"], name=name)) == scopes


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("['', 'layer1', 'layer1.0', 'relu']", ("layer1", "layer1.0")),
        ("['', 'relu']", ()),
        ("not a list", ()),
        ("__import__('os')", ()),
        ("[1, 2]", ()),
        ("[" * 4000, ()),
        ("['" + "x" * 5000 + "']", ()),
    ],
)
def test_scopes_of_the_export_exporter_are_read_as_data(text: str, scopes: tuple[str, ...]) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    entry = node.metadata_props.add()
    entry.key, entry.value = SCOPES, text
    assert scopes_of(node) == scopes
