"""What is planted is found, and nothing is found in nets that are well."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import sick_nets
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from explainery.demo import digits
from explainery.settings import load
from workers.local import Local, Order

PICTURE = repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW")
FACTORIES = ("sick_nets", "explainery.demo.digits")
DATA = digits.data()
ROWS = DATA.held_x[:64]


class Ward:
    """Writes nets into a repository and asks for their reports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = dataclasses.replace(load({}), models=str(folder), factories=FACTORIES, device="cpu", threads=1)
        self.lab = Local(settings)

    def add(self, name: str, factory: str, net: nn.Module, **args: Any) -> None:
        card = (
            f'title = "{name}"\nformat = "safetensors"\nfile = "m.safetensors"\nfactory = "{factory}"\n'
            f"factory_args = {repos.toml(args)}\n{PICTURE}{repos.output(10, kind='logits')}"
        )
        weights = {key: tensor.contiguous() for key, tensor in net.state_dict().items()}
        repos.write(self._folder, name, card, {"m.safetensors": save(weights)})

    def report(self, name: str, rows: NDArray[Any] = ROWS, **params: Any) -> dict[str, Any]:
        result, _ = self.lab.explain(name, Order("layer_report", {"input": rows}, params))
        assert result.report is not None
        return result.report

    def found(self, name: str, rows: NDArray[Any] = ROWS) -> set[tuple[str, str]]:
        return {(finding["kind"], finding["layer"]) for finding in self.report(name, rows)["findings"]}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield Ward(tmp_path_factory.mktemp("ward"))


def trained(net: nn.Module, epochs: int) -> nn.Module:
    """A few epochs on the digits."""
    x, y = torch.from_numpy(DATA.train_x), torch.from_numpy(DATA.train_y)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    net.train()
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(x)), 64):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(net(x[rows]), y[rows]))
            optimizer.step()
    return net.eval()


def stack(change: Callable[[Any], None] = lambda net: None, **args: Any) -> nn.Module:
    net = sick_nets.stack(**args)
    with torch.no_grad():
        change(net)
    return net.eval()


HEALTHY: dict[str, tuple[str, Callable[[], nn.Module], dict[str, Any]]] = {
    "digits-cnn": ("explainery.demo.digits:build", lambda: digits.train(DATA), {}),
    "residual": ("sick_nets:residual", lambda: trained(sick_nets.residual(), 3), {}),
    "residual-fresh": ("sick_nets:residual", lambda: sick_nets.residual().eval(), {}),
    "mlp": ("sick_nets:stack", lambda: trained(sick_nets.stack(), 8), {}),
    "tanh": ("sick_nets:stack", lambda: trained(sick_nets.stack(act="Tanh"), 8), {"act": "Tanh"}),
    "attending": ("sick_nets:attending", lambda: trained(sick_nets.attending(), 3), {}),
}


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("count", [1, 64])
def test_nothing_is_found_in_a_net_that_is_well(ward: Ward, name: str, count: int) -> None:
    factory, build, args = HEALTHY[name]
    ward.add(name, factory, build(), **args)
    assert ward.report(name, ROWS[:count])["findings"] == []


def test_a_dead_layer(ward: Ward) -> None:
    """A bias of -100 in front of a ReLU: no unit answers, and no gradient gets through to what lies before."""
    ward.add("dead", "sick_nets:stack", stack(lambda net: net.linear1.bias.fill_(-100.0)))
    report = ward.report("dead")
    (dead,) = [finding for finding in report["findings"] if finding["kind"] == "dead"]
    assert dead["layer"] == "act1"
    assert dead["figures"] == {"dead_share": 1.0, "units": 32, "rows": 64}
    (none,) = [finding for finding in report["findings"] if finding["kind"] == "vanishing"]
    assert (none["figures"]["from"], none["figures"]["to"]) == ("flat", "linear1")
    assert "does not arrive" in none["text"]
    assert len(report["findings"]) == 2


def test_a_share_of_dead_units_needs_rows(ward: Ward) -> None:
    ward.add("half-dead", "sick_nets:stack", stack(lambda net: net.linear1.bias[:24].fill_(-100.0)))
    assert ward.found("half-dead") == {("dead", "act1")}
    assert ward.found("half-dead", ROWS[:8]) == set()


def test_a_vanishing_gradient(ward: Ward) -> None:
    """Twenty sigmoid layers: each lets a quarter of the gradient through at most."""
    args = {"act": "Sigmoid", "depth": 20}
    ward.add("vanishing", "sick_nets:stack", stack(**args), **args)
    report = ward.report("vanishing")
    (finding,) = report["findings"]
    assert (finding["kind"], finding["layer"]) == ("vanishing", "flat")
    assert finding["figures"]["ratio"] < 1e-8
    ratios = [layer["gradient_ratio"] for layer in report["layers"] if layer["type"] == "Linear"]
    assert ratios == sorted(ratios)


def test_an_exploding_gradient(ward: Ward) -> None:
    def grow(net: Any) -> None:
        for number in range(6):
            net.get_submodule(f"linear{number}").weight.mul_(20)

    ward.add("exploding", "sick_nets:stack", stack(grow, depth=6), depth=6)
    found = ward.found("exploding")
    assert ("exploding", "flat") in found
    assert {layer for kind, layer in found if kind == "bad_initialisation"} == {f"linear{number}" for number in range(6)}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("ten-times", lambda net: net.linear1.weight.mul_(10), "times as wide"),
        ("zero", lambda net: net.linear1.weight.zero_(), "zero everywhere"),
        ("equal", lambda net: net.linear1.weight.fill_(0.1), "same number everywhere"),
        ("tiny", lambda net: net.linear1.weight.mul_(0.01), "fade"),
    ],
)
def test_a_bad_initialisation(ward: Ward, name: str, change: Callable[[Any], None], words: str) -> None:
    ward.add(name, "sick_nets:stack", stack(change))
    bad = [finding for finding in ward.report(name)["findings"] if finding["kind"] == "bad_initialisation"]
    assert [finding["layer"] for finding in bad] == ["linear1"]
    assert words in bad[0]["text"]
    assert bad[0]["figures"]["parameter"] == "weight"
    assert bad[0]["figures"]["fan_in"] == 32


def test_ten_times_in_the_digits_cnn(ward: Ward) -> None:
    net: Any = digits.train(DATA, epochs=1)
    with torch.no_grad():
        net[0].weight.mul_(10)
    ward.add("digits-wide", "explainery.demo.digits:build", net)
    assert ("bad_initialisation", "0") in ward.found("digits-wide")


def test_what_is_never_used(ward: Ward) -> None:
    """The whole branch is one finding; a weight that is used without its module is used."""
    ward.add("spare", "sick_nets:spare", sick_nets.spare().eval())
    (finding,) = ward.report("spare")["findings"]
    assert (finding["kind"], finding["layer"]) == ("never_used", "spare")
    assert finding["figures"] == {"parameters": 64 * 8 + 8 + 8 * 10 + 10}


def test_weights_that_are_not_finite(ward: Ward) -> None:
    """The model could not answer at all: the report says why."""
    ward.add("nan", "sick_nets:stack", stack(lambda net: net.linear2.weight[0, 0].fill_(torch.nan)))
    assert ward.found("nan") == {("not_finite", "linear2")}


def test_where_infinity_begins(ward: Ward) -> None:
    """Every weight is a number, but their product is none: the first layer that shows it is named."""
    ward.add("overflow", "sick_nets:stack", stack(lambda net: net.linear1.weight.fill_(3e38)))
    assert {("not_finite", "linear1")} <= ward.found("overflow")


def test_a_saturated_layer(ward: Ward) -> None:
    net = stack(lambda net: net.linear0.weight.mul_(30), act="Tanh")
    ward.add("saturated", "sick_nets:stack", net, act="Tanh")
    assert ("saturated", "act0") in ward.found("saturated")


def test_the_figures_are_those_of_the_module(ward: Ward) -> None:
    """Against torch's own numbers, over all rows at once."""
    net = stack()
    ward.add("plain", "sick_nets:stack", net)
    report = ward.report("plain")
    layers = {layer["path"]: layer for layer in report["layers"]}
    x, seen = torch.from_numpy(ROWS).requires_grad_(), {}
    for name, part in net.named_children():
        x = part(x)
        x.retain_grad()
        seen[name] = x
    torch.autograd.backward(x.max(1).values.sum())
    slopes = {name: tensor.grad.double() for name, tensor in seen.items()}
    for name, tensor in ((name, tensor.detach()) for name, tensor in seen.items()):
        activation = layers[name]
        assert activation["activation_mean"] == pytest.approx(float(tensor.mean()), rel=1e-4, abs=1e-6)
        assert activation["activation_variance"] == pytest.approx(float(tensor.var(unbiased=False)), rel=1e-4, abs=1e-6)
        assert activation["zeros"] == pytest.approx(float((tensor.abs() <= 1e-6).double().mean()), rel=1e-6)
        dead = (tensor.abs() <= 1e-6).all(0).double().mean()
        assert activation["dead_share"] == pytest.approx(float(dead))
        norm = float(slopes[name].flatten(1).square().sum(1).mean().sqrt())
        assert layers[name]["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    weight = next(each for each in report["parameters"] if (each["layer"], each["name"]) == ("linear1", "weight"))
    assert weight["std"] == pytest.approx(float(net.linear1.weight.detach().std(unbiased=False)), rel=1e-6)
    assert weight["looks_like"] == "torch_uniform"
    assert weight["expected_std"]["he"] == pytest.approx((2 / 32) ** 0.5)


@pytest.mark.parametrize(("init", "name"), [(nn.init.kaiming_normal_, "he_normal"), (nn.init.kaiming_uniform_, "he_uniform")])
def test_what_a_weight_looks_like(ward: Ward, init: Callable[[Any], Any], name: str) -> None:
    ward.add(name, "sick_nets:stack", stack(lambda net: init(net.linear1.weight)))
    weight = next(each for each in ward.report(name)["parameters"] if (each["layer"], each["name"]) == ("linear1", "weight"))
    assert weight["looks_like"] == name


def test_the_same_net_as_onnx(ward: Ward, tmp_path: Path) -> None:
    """A dead layer and a bad initialisation, found in the graph's own tensors."""
    from onnx import helper

    rng = np.random.Generator(np.random.Philox(1))
    weights = {
        "w0": rng.normal(0, 0.2, (64, 32)), "b0": np.full(32, -100.0), "w1": rng.normal(0, 3.0, (32, 10)), "b1": np.zeros(10),
    }  # fmt: skip
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["inner"]),
        helper.make_node("Relu", ["inner"], ["act"]),
        helper.make_node("MatMul", ["act", "w1"], ["mixed"]),
        helper.make_node("Add", ["mixed", "b1"], ["score"]),
    ]
    small = {name: array.astype(np.float32) for name, array in weights.items()}
    repos.add_onnx(
        tmp_path, "onnx", nodes, small, PICTURE, repos.output(10), input=["n", 1, 8, 8], score=["n", 10]
    )  # fmt: skip
    other = Ward(tmp_path)
    found = other.found("onnx")
    assert ("dead", "act") in found
    assert ("bad_initialisation", "mixed") in found
    fans = {each["layer"]: (each["fan_in"], each["fan_out"]) for each in other.report("onnx")["parameters"] if each["fan_in"]}
    assert fans == {"inner": (64, 32), "mixed": (32, 10)}
