"""Methods that look at layers, against captum on the same weights: 1e-4 of the largest value."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import captum.attr as captum
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from workers.local import Local, Order

TARGET = 1
LAYERS = {
    "vgg": ["conv1", "relu2", "pool2", "dense1"],
    "resnet": ["stem", "block1.bn1", "block1.conv2", "block2", "mean"],
    "lstm": ["states"],
    "bi-gru": ["states"],
    "encoder": ["encoder.layers.0.linear1", "encoder.layers.1.norm2", "encoder.layers.0"],
    "bert": ["embedding", "layers.0.inner", "layers.1", "pooler"],
    "vit": ["patches", "layers.0.norm2"],
}
CASES = [(model, layer) for model, layers in LAYERS.items() for layer in layers]
SMOOTH = [case for case in CASES if case[0] != "bert"]
"""Models whose inputs are numbers: there is a path from the baseline to them."""
Rows = Callable[..., NDArray[Any]]
Module = Callable[[str], nn.Module]


def close(ours: NDArray[Any], theirs: Any, tolerance: float = 1e-4) -> None:
    expected = theirs.detach().numpy()
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= tolerance * np.abs(expected).max()


def explained(lab: Local, model: str, method: str, rows: NDArray[Any], key: str, **params: Any) -> NDArray[Any]:
    _, arrays = lab.explain(model, Order(method, {"input": rows}, params, target=TARGET))
    return arrays[f"attributions.{key}"]


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's own
        yield


def first(answer: Any) -> torch.Tensor:
    return answer[0] if isinstance(answer, tuple) else answer


@pytest.mark.parametrize(("model", "layer"), CASES)
def test_layer_activation(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str) -> None:
    net, x = module(model), rows(model)
    theirs = first(captum.LayerActivation(net, net.get_submodule(layer)).attribute(torch.tensor(x)))
    close(explained(inner_lab, model, "layer_activation", x, layer, layer=layer), theirs)


@pytest.mark.parametrize(("model", "layer"), CASES)
def test_layer_gradient_x_activation(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str) -> None:
    net, x = module(model), rows(model)
    theirs = first(captum.LayerGradientXActivation(net, net.get_submodule(layer)).attribute(torch.tensor(x), target=TARGET))
    close(explained(inner_lab, model, "layer_gradient_x_activation", x, layer, layer=layer), theirs)


@pytest.mark.parametrize(("model", "layer"), SMOOTH)
def test_internal_influence(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str) -> None:
    net, x = module(model), rows(model)
    method = captum.InternalInfluence(net, net.get_submodule(layer))
    theirs = first(method.attribute(torch.tensor(x), target=TARGET, n_steps=50))
    close(explained(inner_lab, model, "internal_influence", x, layer, layer=layer, max_steps=50), theirs, 2e-4)


@pytest.mark.parametrize(("model", "layer"), SMOOTH)
def test_layer_integrated_gradients(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str) -> None:
    """The same rule of 50 nodes; captum takes the layer's output at the baseline for the path's beginning, too."""
    net, x = module(model), rows(model)
    method = captum.LayerIntegratedGradients(net, net.get_submodule(layer))
    theirs = first(method.attribute(torch.tensor(x), torch.zeros(x.shape), target=TARGET, n_steps=50))
    params = {"layer": layer, "max_steps": 54, "tolerance": 0.0}
    close(explained(inner_lab, model, "layer_integrated_gradients", x, layer, **params), theirs, 3e-4)


@pytest.mark.parametrize(
    ("model", "layer", "tolerance"),
    [("encoder", "encoder.layers.0.linear1", 0.2), ("lstm", "states", 2e-3), ("vit", "patches", 2e-3)],
)
def test_layer_conductance(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str, tolerance: float) -> None:
    """Captum sums rectangles: far off where a layer norm meets zeros, so a sum of our own is compared, too."""
    net, x = module(model).double(), rows(model, 1)
    method = captum.LayerConductance(net, net.get_submodule(layer))
    theirs = first(method.attribute(torch.tensor(x, dtype=torch.float64), target=TARGET, n_steps=1000))
    ours = explained(inner_lab, model, "layer_conductance", x, layer, layer=layer, max_steps=2000, tolerance=0.0)
    close(ours, theirs, tolerance)
    close(ours, conductance(net, net.get_submodule(layer), torch.tensor(x[0], dtype=torch.float64)), 5e-3)


def conductance(net: nn.Module, part: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The integral from zeros to x in double precision, by 4000 trapezoids that lie closer at the ends."""
    caught: list[torch.Tensor] = []
    handle = part.register_forward_hook(lambda module, given, output: caught.append(output))
    alphas = (1 - torch.cos(torch.linspace(0, torch.pi, 4001, dtype=torch.float64))) / 2
    score = net(alphas.reshape(-1, *([1] * x.ndim)) * x)[:, TARGET].sum()
    handle.remove()
    (activation,) = caught
    (gradient,) = torch.autograd.grad(score, activation)
    return ((activation[1:] - activation[:-1]) * (gradient[1:] + gradient[:-1]) / 2).sum(0)[None]


@pytest.mark.parametrize(("model", "layer", "unit"), [
    ("vgg", "conv2", (3, 2, 1)), ("vgg", "dense1", (4,)), ("resnet", "block1.bn1", (2, 5, 5)), ("lstm", "states", (4, 7)),
])  # fmt: skip
def test_neurons(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str, unit: tuple[int, ...]) -> None:
    net, x = module(model), rows(model)
    part = net.get_submodule(layer)

    def selected(output: Any) -> torch.Tensor:
        tensor = first(output)
        for index in unit:
            tensor = tensor[:, index]
        return tensor

    gradient = captum.NeuronGradient(net, part).attribute(torch.tensor(x), selected)
    close(explained(inner_lab, model, "neuron_gradient", x, "input", layer=layer, unit=list(unit)), gradient)
    integrated = captum.NeuronIntegratedGradients(net, part).attribute(torch.tensor(x), selected, n_steps=50)
    params = {"layer": layer, "unit": list(unit), "max_steps": 52, "tolerance": 0.0}
    close(explained(inner_lab, model, "neuron_integrated_gradients", x, "input", **params), integrated, 3e-4)


@pytest.mark.parametrize(("model", "layer"), [("vgg", "conv2"), ("resnet", "block2.conv2"), ("resnet", "stem")])
def test_grad_cam(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str) -> None:
    net, x = module(model), rows(model)
    raw = captum.LayerGradCam(net, net.get_submodule(layer)).attribute(torch.tensor(x), target=TARGET, relu_attributions=True)
    large = nn.functional.interpolate(raw, x.shape[2:], mode="bilinear").expand(-1, 3, -1, -1)
    _, arrays = inner_lab.explain(model, Order("grad_cam", {"input": x}, {"layer": layer}, target=TARGET))
    close(arrays[f"maps.raw_map.{layer}"], raw[:, 0])
    close(arrays["attributions.input"], large)


def test_a_tuple_is_looked_at_by_its_first_tensor(inner_lab: Local, rows: Rows) -> None:
    both = [
        explained(inner_lab, "lstm", "layer_integrated_gradients", rows("lstm"), layer, layer=layer)
        for layer in ("states", "states.layer")
    ]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


@pytest.mark.parametrize("layer", ["embedding", "layers.0", "layers.1.norm2"])
def test_layer_integrated_gradients_of_tokens(inner_lab: Local, rows: Rows, module: Module, layer: str) -> None:
    """From the vectors of token 0 to those of the row: the inputs themselves stay what they are."""
    net, x = module("bert"), rows("bert")
    method = captum.LayerIntegratedGradients(net, net.get_submodule(layer))
    theirs = first(method.attribute(torch.tensor(x), torch.zeros(x.shape, dtype=torch.int64), target=TARGET, n_steps=50))
    params = {"layer": layer, "max_steps": 54, "tolerance": 0.0}
    close(explained(inner_lab, "bert", "layer_integrated_gradients", x, layer, **params), theirs, 3e-4)


@pytest.mark.parametrize(("model", "layer"), [("vgg", "conv2"), ("resnet", "block2.conv2")])
def test_guided_grad_cam(inner_lab: Local, rows: Rows, module: Module, model: str, layer: str) -> None:
    net, x = module(model), rows(model)
    method = captum.GuidedGradCam(net, net.get_submodule(layer))
    theirs = method.attribute(torch.tensor(x).requires_grad_(), target=TARGET, interpolate_mode="bilinear")
    close(explained(inner_lab, model, "guided_grad_cam", x, "input", layer=layer), theirs)


@pytest.mark.parametrize("model", ["vgg", "resnet", "lstm", "bi-gru", "rnn", "encoder", "encoder-second", "vit"])
def test_methods_that_ask_for_gradients(inner_lab: Local, rows: Rows, module: Module, model: str) -> None:
    net, x = module(model), rows(model)
    tensor = torch.tensor(x).requires_grad_()
    close(explained(inner_lab, model, "saliency", x, "input"), captum.Saliency(net).attribute(tensor, TARGET, abs=False))
    close(explained(inner_lab, model, "input_x_gradient", x, "input"), captum.InputXGradient(net).attribute(tensor, TARGET))
    theirs = captum.IntegratedGradients(net).attribute(tensor, target=TARGET, n_steps=50)
    close(explained(inner_lab, model, "integrated_gradients", x, "input", max_steps=50, tolerance=0.0), theirs, 3e-4)
    ablated = captum.FeatureAblation(net).attribute(tensor, target=TARGET, perturbations_per_eval=16)
    close(explained(inner_lab, model, "feature_ablation", x, "input", features="elements"), ablated)
