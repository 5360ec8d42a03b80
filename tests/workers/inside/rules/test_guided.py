"""Guided backpropagation and deconvolution: against captum, in all spellings of a ReLU, and without any."""

from __future__ import annotations

import threading

import inner_nets
import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from ruled_nets import Run, small_vgg
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name
from under_rules import attributed, differentiated, exported, frozen

from workers.inside.rules import backward_of
from workers.questions import Rules

FAMILIES = {"guided_backprop": GuidedBackprop, "deconvolution": Deconvolution}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU"),
    pytest.mark.parametrize("family", FAMILIES),
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(3)


def close(found: torch.Tensor, expected: torch.Tensor, share: float = 1e-4) -> None:
    assert float(expected.abs().max()) > 0
    assert float((found - expected).abs().max()) <= share * float(expected.abs().max())


@pytest.mark.parametrize("net", ["vgg", "resnet"])
def test_as_captum_has_it(family: str, net: str) -> None:
    module = frozen({"vgg": inner_nets.vgg, "resnet": lambda: inner_nets.resnet(reused=False)}[net]())
    x = torch.randn(3, 3, 16, 16)
    close(attributed(family, module, x, target=1), FAMILIES[family](module).attribute(x.clone().requires_grad_(), target=1))


def test_a_reused_relu_in_place_is_one_like_any_other(family: str) -> None:
    once, reused = (frozen(inner_nets.resnet(reused=reused)) for reused in (False, True))
    reused.load_state_dict(once.state_dict())
    x = torch.randn(3, 3, 16, 16)
    assert torch.equal(attributed(family, reused, x), attributed(family, once, x))


SPELLINGS: dict[str, Run] = {
    "module": nn.ReLU(),
    "module in place": lambda x: nn.ReLU(inplace=True)(x * 1),
    "function": F.relu,
    "torch's": torch.relu,
    "method": lambda x: x.relu(),
    "in place": lambda x: (x * 1).relu_(),
    "function in place": lambda x: F.relu(x * 1, True),
    "clamp": lambda x: x.clamp(min=0),
    "aten": torch.ops.aten.relu.default,
    "aten in place": lambda x: torch.ops.aten.relu_.default(x * 1),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_relu(family: str, spelling: str) -> None:
    """f = -3 relu(x1) + 2 relu(x2) + 5 relu(x3) at (1, 1, -1): what is negative backwards stops, forwards it depends."""
    weights = torch.tensor([-3.0, 2.0, 5.0])
    x = torch.tensor([[1.0, 1.0, -1.0]])
    found = attributed(family, lambda x: (SPELLINGS[spelling](x) * weights).sum(1), x)
    assert found.tolist() == [[0.0, 2.0, 0.0 if family == "guided_backprop" else 5.0]]


def test_everybody_who_reads_the_tensor_sees_what_was_written(family: str) -> None:
    def net(x: torch.Tensor) -> torch.Tensor:
        x = x * 1
        view = x[:, :2]
        F.relu(view, inplace=True)
        return x.sum(1)

    mode = backward_of(Rules(family), lambda: "")
    x = torch.tensor([[-1.0, 2.0, -3.0]])
    with torch.enable_grad(), mode:
        assert net(x.requires_grad_()).item() == -1.0
    assert attributed(family, net, x.detach()).tolist() == [[0.0 if family == "guided_backprop" else 1.0, 1.0, 1.0]]


def test_without_a_relu_it_is_the_gradient(family: str) -> None:
    net = frozen(nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3), nn.Softmax(-1)))
    x = torch.randn(4, 5).requires_grad_()
    (expected,) = torch.autograd.grad(net(x)[:, 2].sum(), x)
    close(attributed(family, net, x.detach(), target=2), expected)


def test_the_mode_says_how_many_it_changed(family: str) -> None:
    for net, count in ((small_vgg(), 3), (frozen(nn.Linear(3, 2)), 0)):
        mode = backward_of(Rules(family), lambda: "")
        x = torch.randn(1, 3, 16, 16) if count else torch.randn(1, 3)
        differentiated(mode, net, x, 1, 0)
        assert mode.changed == count  # type: ignore[attr-defined]


def test_the_hidden_relus_of_an_rnn_are_changed_too(family: str) -> None:
    layer = frozen(nn.RNN(3, 4, nonlinearity="relu", batch_first=True))
    x = torch.randn(2, 5, 3)

    def by_cells(x: torch.Tensor) -> torch.Tensor:
        hidden = torch.zeros(len(x), 4)
        for step in x.unbind(1):
            hidden = torch.relu(
                F.linear(step, layer.weight_ih_l0, layer.bias_ih_l0) + F.linear(hidden, layer.weight_hh_l0, layer.bias_hh_l0)
            )
        return hidden.sum(1)

    close(attributed(family, lambda x: layer(x)[0][:, -1].sum(1), x), attributed(family, by_cells, x))


def test_an_exported_program_gives_the_same(family: str) -> None:
    net, x = small_vgg(), torch.randn(2, 3, 16, 16)
    for program in exported(net, x):
        close(attributed(family, program, x), attributed(family, net, x), 1e-6)


class Packed(nn.Module):
    """A recurrent layer over rows of unequal length."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lengths = torch.arange(x.shape[1], x.shape[1] - len(x), -1)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0].mean(1)


@pytest.mark.parametrize(
    "net",
    [
        Packed(nn.LSTM(8, 3, batch_first=True)),
        Packed(nn.RNN(8, 3, nonlinearity="relu", batch_first=True)),
        inner_nets.encoder(),
        inner_nets.encoder(batch_first=False),
    ],
)
def test_nothing_is_refused(family: str, net: nn.Module) -> None:
    assert torch.isfinite(attributed(family, frozen(net), torch.randn(2, 4, 8))).all()


def test_threads_with_different_modes_do_not_meet(family: str) -> None:
    """One module, three families at a time: each gets its own answer, and the module has no hook afterwards."""
    net, x = small_vgg(means=True), torch.randn(2, 3, 16, 16)
    kinds = [family, "lrp", "deep_lift"]
    expected = {kind: attributed(kind, net, x) for kind in kinds}
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    wrong: list[str] = []

    def ask(kind: str) -> None:
        for _ in range(10):
            if not torch.allclose(attributed(kind, net, x), expected[kind], atol=1e-6):
                wrong.append(kind)

    threads = [threading.Thread(target=ask, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in net.modules())
