"""DeepLIFT: against captum where captum is complete, closed forms, completeness on every net it accepts, refusals by name."""

from __future__ import annotations

import inner_nets
import pytest
import torch
from captum.attr import DeepLift
from captum.testing.helpers import basic_models
from ruled_nets import Gated, LastState, OtherWords, Run, Sum, Upsampled, Windowed, copied_before_pools, small_vgg, with_numbers
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name
from under_rules import attributed, exported, frozen, translated

from explainery.contract.errors import OperationWithoutRule

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks"),
    pytest.mark.filterwarnings("ignore:LSTM with projections"),
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


def close(found: torch.Tensor, expected: torch.Tensor, share: float = 1e-4) -> None:
    assert float(expected.abs().max()) > 0
    assert float((found - expected).abs().max()) <= share * float(expected.abs().max())


def by_captum(net: nn.Module, x: torch.Tensor, baseline: torch.Tensor, target: int | None = 0) -> tuple[torch.Tensor, float]:
    """Attributions, and the largest of captum's own completeness gaps."""
    found, gaps = DeepLift(net).attribute(x.clone().requires_grad_(), baseline, target=target, return_convergence_delta=True)
    return found.detach(), float(gaps.abs().max())


def gap(net: Run, x: torch.Tensor, baseline: torch.Tensor, target: int = 0) -> float:
    """The largest |sum of the attributions - (f(x) - f(b))|, in units of the largest |f(x) - f(b)| or 1."""
    with torch.no_grad():
        change = (net(x).reshape(len(x), -1) - net(baseline.expand_as(x)).reshape(len(x), -1))[:, target]
    assert float(change.abs().max()) > 1e-3
    found = attributed("deep_lift", net, x, baseline, target)
    return float((found.flatten(1).sum(1) - change).abs().max() / change.abs().max().clamp(min=1))


NETS = {
    "mlp": lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)),
    "vgg": inner_nets.vgg,
    "vgg of means": lambda: small_vgg(means=True),
    "resnet": lambda: inner_nets.resnet(reused=False),
    "smooth": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 5), nn.Softplus(), nn.Conv2d(4, 4, 3), nn.ELU(), nn.Flatten(), nn.Linear(400, 2), nn.Sigmoid()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_as_captum_has_it(name: str) -> None:
    net = frozen(NETS[name]())
    x, baseline = torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16) / 3
    expected, captums_gap = by_captum(copied_before_pools(net), x, baseline, 1)
    assert captums_gap < 1e-5
    close(attributed("deep_lift", net, x, baseline, 1), expected)


def test_a_pool_behind_an_activation_where_captum_is_wrong() -> None:
    """relu, then the maximum of four: x wins at its second place, b at its first. f(x) - f(b) = 2 - 3 all goes to the first."""
    net = frozen(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()))
    x, baseline = torch.tensor([[[[1.0, 2.0], [-1.0, 0.0]]]]), torch.tensor([[[[3.0, 1.0], [0.5, -2.0]]]])
    assert attributed("deep_lift", net, x, baseline).flatten().tolist() == [-1.0, 0.0, 0.0, 0.0]
    assert by_captum(net, x, baseline)[1] > 1
    close(attributed("deep_lift", net, x, baseline), by_captum(copied_before_pools(net), x, baseline)[0])


def test_the_values_captum_publishes() -> None:
    """2 relu(x1) + 2 relu(x2 - 1.5) at (1, 2), baseline 0: 2 and 1."""
    net = basic_models.ReLUDeepLiftModel()
    found = attributed("deep_lift", lambda x: net(x[:, :1], x[:, 1:]), torch.tensor([[1.0, 2.0]]))
    assert found.tolist() == [[2.0, 1.0]]


@pytest.mark.parametrize("inplace", [False, True])
def test_captums_multi_layer_model(inplace: bool) -> None:
    """Linear, ReLU, linear at (0, 100, 0) for target 0: the line through both points, whatever the spelling of the ReLU."""
    net = frozen(basic_models.BasicModel_MultiLayer(inplace=inplace))
    x = torch.tensor([[0.0, 100.0, 0.0]])
    expected, captums_gap = by_captum(frozen(basic_models.BasicModel_MultiLayer()), x, torch.zeros_like(x))
    assert captums_gap < 1e-4
    close(attributed("deep_lift", net, x), expected)


@pytest.mark.parametrize("model", ["BasicModelWithReusedModules", "LinearMaxPoolLinearModel", "Conv1dSeqModel"])
def test_captums_other_models(model: str) -> None:
    """Reused modules, which captum refuses or gets wrong; pools over one axis."""
    net = frozen(getattr(basic_models, model)())
    sample = torch.randn({"BasicModelWithReusedModules": (4, 3), "LinearMaxPoolLinearModel": (2, 4)}.get(model, (2, 4, 1000)))
    assert gap(net, sample, torch.randn_like(sample)) < 1e-5


def test_closed_forms() -> None:
    x, b = torch.tensor([[3.0, -2.0]]), torch.tensor([[1.0, 4.0]])
    # x1 x2: each factor's change times the other's midpoint
    assert attributed("deep_lift", lambda x: x[:, 0] * x[:, 1], x, b).tolist() == [[2.0 * 1.0, -6.0 * 2.0]]
    # a square is a product with itself
    assert attributed("deep_lift", lambda x: (x * x).sum(1), x, b).tolist() == [[9.0 - 1.0, 4.0 - 16.0]]
    # the larger of two
    assert attributed("deep_lift", lambda x: x.max(1).values, x, b).tolist() == [[-0.0, -1.0]]
    # linear
    assert attributed("deep_lift", lambda x: x @ torch.tensor([2.0, 0.5]) + 7, x, b).tolist() == [[4.0, -3.0]]


def test_functional_reused_and_in_place_are_the_same_net() -> None:
    net = frozen(Sum(6, basic_models.Addition_Module() if hasattr(basic_models, "Addition_Module") else _Add()))
    x, baseline = torch.randn(3, 3, 8, 8), torch.randn(3, 3, 8, 8)

    def reference(x: torch.Tensor) -> torch.Tensor:
        first = net.first(x)
        total = net.second(torch.relu(first)) + torch.relu(first)
        return net.head(torch.relu(total).mean((2, 3)))

    other = frozen(OtherWords(net))
    assert torch.allclose(other(x), reference(x), atol=1e-6)
    close(attributed("deep_lift", other, x, baseline), attributed("deep_lift", reference, x, baseline))
    assert gap(other, x, baseline) < 1e-5


class _Add(nn.Module):
    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return one + other


class Twice(nn.Module):
    """One activation and one layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(6, 6), nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.layer(x))
        return self.act(self.layer(x)) + F.gelu(x)


class Embedded(nn.Module):
    """A BERT-shaped net from its embeddings on."""

    def __init__(self, kernel: bool) -> None:
        super().__init__()
        self.bert = inner_nets.bert(kernel=kernel)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bert.norm(x)
        for layer in self.bert.layers:
            x = layer(x)
        return self.bert.head(torch.tanh(self.bert.pooler(x[:, 0])))


def masked(x: torch.Tensor) -> torch.Tensor:
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    scores = (x @ x.transpose(1, 2)).masked_fill(later, -torch.inf)
    return (torch.softmax(scores, -1) @ x).sum((1, 2))


def _nets() -> dict[str, tuple[Run, tuple[int, ...]]]:
    """Nets and the shapes of their rows; the weights are the same in every run."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return {
            "vgg": (inner_nets.vgg(), (3, 16, 16)),
            "resnet, reused and in place": (inner_nets.resnet(reused=True), (3, 16, 16)),
            "overlapping pools": (
                nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.AdaptiveMaxPool2d(2), nn.Flatten()),
                (3, 9, 9),
            ),
            "called twice": (Twice(), (6,)),
            "lstm": (inner_nets.recurrent("lstm", both=True), (9, 4)),
            "gru": (inner_nets.recurrent("gru"), (9, 4)),
            "rnn": (inner_nets.recurrent("rnn"), (9, 4)),
            "lstm, stacked, time first": (LastState(nn.LSTM(4, 6, num_layers=2, proj_size=3), time_first=True), (7, 4)),
            "rnn of relus": (LastState(nn.RNN(4, 6, nonlinearity="relu", batch_first=True)), (7, 4)),
            "encoder": (inner_nets.encoder(), (6, 8)),
            "encoder, tokens first": (inner_nets.encoder(batch_first=False), (6, 8)),
            "bert, by a kernel": (Embedded(kernel=True), (7, 16)),
            "bert, in the open": (Embedded(kernel=False), (7, 16)),
            "vit": (inner_nets.vit(), (3, 16, 16)),
            "norms": (
                nn.Sequential(
                    nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(True), nn.InstanceNorm2d(8, affine=True),
                    with_numbers(nn.BatchNorm2d(8)), nn.Hardswish(True), nn.Flatten(), nn.Linear(288, 2),
                ),
                (3, 8, 8),
            ),
            "gated": (Gated(), (3, 16, 16)),
            "windowed": (Windowed(), (3, 16, 16)),
            "upsampled": (Upsampled(), (3, 16, 16)),
            "softmax": (nn.Sequential(nn.Linear(5, 4), nn.Softmax(-1)), (5,)),
            "softmax of far scores": (lambda x: torch.softmax(200 * x, -1)[:, 1], (5,)),
            "log-softmax": (lambda x: torch.log_softmax(x, 1), (5,)),
            "log of a sum": (lambda x: torch.logsumexp(x, 1), (5,)),
            "masked attention": (masked, (6, 4)),
            "kernel attention": (lambda x: F.scaled_dot_product_attention(x, x.tanh(), x, is_causal=True).sum((1, 2)), (6, 4)),
            "extremes": (lambda x: x.max(1).values + x.amin(1) + 2 * x.min(1, keepdim=True)[0][:, 0], (5,)),
            "the larger and the smaller": (lambda x: torch.maximum(x[:, 0], x[:, 1]) + torch.min(x[:, 2], x[:, 3]), (5,)),
            "quotients": (lambda x: x[:, 0] / (1 + x[:, 1] ** 2) + 1 / (3 + x[:, 3].exp()), (5,)),
            "powers": (lambda x: 2 ** x[:, 2] + x[:, 1] ** 3 + x.norm(dim=1) + x.exp()[:, 0] ** x[:, 1], (5,)),
            "a product of all": (lambda x: x.prod(1, keepdim=True), (4,)),
            "gates": (lambda x: F.glu(x, 1).sum(1), (6,)),
            "an outer product": (lambda x: torch.einsum("bi,bj->bij", x, x.exp()).sum((1, 2)), (5,)),
            "normalised": (lambda x: F.normalize(x, dim=1)[:, 0], (5,)),
            "spread": (lambda x: x.std(1) + x.var(dim=1, unbiased=False), (5,)),
        }  # fmt: skip


COMPLETE = _nets()
ACTIVATIONS = (
    F.relu, F.relu6, F.elu, F.selu, F.celu, F.leaky_relu, F.gelu, torch.sigmoid, torch.tanh, F.silu, F.mish, F.softplus,
    F.softsign, F.hardtanh, F.hardsigmoid, F.hardswish, F.tanhshrink, F.logsigmoid, F.hardshrink, F.softshrink, torch.sin,
    torch.erf, torch.round,
)  # fmt: skip


@pytest.mark.parametrize("name", COMPLETE)
def test_complete(name: str) -> None:
    net, shape = COMPLETE[name]
    net = frozen(net) if isinstance(net, nn.Module) else net
    x, baseline = torch.randn(3, *shape), torch.randn(3, *shape) / 2
    assert gap(net, x, baseline) < 1e-5
    together, alone = (attributed("deep_lift", net, *rows) for rows in ((x, baseline), (x[:1], baseline[:1])))
    assert float((alone - together[:1]).abs().max()) <= 1e-5 * float(together.abs().max())


@pytest.mark.parametrize("act", ACTIVATIONS, ids=lambda act: act.__name__)
def test_every_activation(act: Run) -> None:
    assert gap(lambda x: act(3 * x).sum(1), torch.randn(3, 8), torch.randn(3, 8)) < 1e-5
    near = torch.randn(3, 8)
    assert torch.isfinite(attributed("deep_lift", lambda x: act(x).sum(1), near, near + 1e-9)).all()


def test_where_nothing_changes_it_is_the_gradient() -> None:
    x = torch.randn(2, 5)
    net = frozen(nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)))
    near = x + 1e-4 * torch.randn_like(x)
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(leaf).sum(), leaf)
    close(attributed("deep_lift", net, x, near), slope * (x - near), 1e-3)
    assert attributed("deep_lift", net, x, x).abs().max() == 0


def test_by_other_ways_it_is_the_same_net() -> None:
    """A program that was exported, and an ONNX file that was translated."""
    net, x, baseline = small_vgg(), torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16)
    expected = attributed("deep_lift", net, x, baseline)
    for other in (*exported(net, torch.cat([x, baseline])), translated(net, x)):
        close(attributed("deep_lift", other, x, baseline), expected, 1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru", "encoder"])
def test_translations_are_complete_too(kind: str) -> None:
    net, shape = (inner_nets.encoder(), (6, 8)) if kind == "encoder" else (inner_nets.recurrent(kind), (6, 4))
    x, baseline = torch.randn(3, *shape), torch.randn(3, *shape)
    other = translated(frozen(net), x)
    assert gap(other, x, baseline) < 1e-5
    close(attributed("deep_lift", other, x, baseline), attributed("deep_lift", net, x, baseline), 1e-3)


def written_by_mask(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x.sum(1)


class Dropping(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, training=True).sum(1)


REFUSED: dict[str, tuple[Run, str]] = {
    "a condition": (lambda x: torch.where(x > 0, x, 0 * x).sum(1), "where with a mask"),
    "a mask": (lambda x: (x * (x > 0)).sum(1), "mul with a mask"),
    "a mask that is written by": (written_by_mask, "setitem_ with a mask"),
    "a detached tensor": (lambda x: (x - x.mean(1, keepdim=True).detach()).sum(1), "detach without a derivative"),
    "numbers without gradients": (lambda x: (x + torch.no_grad()(torch.exp)(x)).sum(1), "exp without a derivative"),
    "a sort": (lambda x: x.sort(1).values[:, 0], "no rule for sort"),
    "a cosine": (lambda x: F.cosine_similarity(x, x.flip(1), dim=1), "no rule for cosine_similarity"),
    "a mean over rows": (lambda x: (x - x.mean(0)).sum(1), "mean over several rows"),
    "rows in another order": (lambda x: x.flip(0).sum(1), "flip over several rows"),
    "dropout that drops": (Dropping(), "dropout in training mode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused_by_name(name: str) -> None:
    net, words = REFUSED[name]
    with pytest.raises(OperationWithoutRule, match=words) as caught:
        attributed("deep_lift", net, torch.randn(3, 6), torch.randn(3, 6), where=lambda: "body.layer3")
    assert "in body.layer3" in caught.value.detail
    assert "integrated_gradients" in caught.value.detail


def test_a_packed_sequence_is_refused() -> None:
    layer = frozen(nn.LSTM(4, 3, batch_first=True))

    def net(x: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((len(x),), x.shape[1]), batch_first=True)
        return layer(packed)[1][0][0]

    with pytest.raises(OperationWithoutRule, match=r"_pack_padded_sequence|packed sequence"):
        attributed("deep_lift", net, torch.randn(2, 5, 4))
