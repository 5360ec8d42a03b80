"""LRP: against captum where the rules are the same, by hand, conservation, canonised batch norms, refusals by name."""

from __future__ import annotations

import inner_nets
import pytest
import torch
from captum.attr import LRP
from captum.attr._utils.custom_modules import Addition_Module
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from captum.testing.helpers import basic_models
from ruled_nets import LastState, OtherWords, Run, Sum, small_vgg, with_numbers
from torch import nn
from under_rules import attributed, exported, frozen, translated

from explainery.contract.errors import OperationWithoutRule
from workers.inside.backward.composites import COMPOSITES

every_composite = pytest.mark.parametrize("composite", COMPOSITES)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(7)


def close(found: torch.Tensor, expected: torch.Tensor, share: float = 1e-4) -> None:
    assert float(expected.abs().max()) > 0
    assert float((found - expected).abs().max()) <= share * float(expected.abs().max())


class Flat(nn.Module):
    """captum's LRP knows no Flatten: it runs outside the modules that it looks at."""

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.parts = nn.ModuleList([part for part in net if not isinstance(part, nn.Flatten)])
        self.flat_before = next(place for place, part in enumerate(net) if isinstance(part, nn.Flatten))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for place, part in enumerate(self.parts):
            x = part(x.flatten(1) if place == self.flat_before else x)
        return x


def by_captum(
    net: nn.Sequential, x: torch.Tensor, rule: type | None = None, target: int = 0, **numbers: object
) -> torch.Tensor:
    flat = Flat(net).eval()
    for part in flat.parts:
        if rule is not None and isinstance(part, (nn.Conv2d, nn.Linear)):
            part.rule = rule(**numbers)
    return LRP(flat).attribute(x.clone().requires_grad_(), target=target).detach()


def best(net: nn.Module, x: torch.Tensor) -> int:
    """A target that every row has a positive score for."""
    with torch.no_grad():
        lowest = net(x).min(0).values
    assert float(lowest.max()) > 0
    return int(lowest.argmax())


def test_epsilon_as_captum_has_it() -> None:
    net, x = small_vgg(), torch.randn(3, 3, 16, 16)
    close(attributed("lrp", net, x), by_captum(net, x))
    close(attributed("lrp", net, x, epsilon=0.1), by_captum(net, x, EpsilonRule, epsilon=0.1))


def test_gamma_and_plus_as_captum_has_them() -> None:
    """On inputs that are not negative and without biases, where captum's are the papers'."""
    net, x = small_vgg(bias=False), torch.rand(3, 3, 16, 16)
    target = best(net, x)
    close(attributed("lrp", net, x, target=target, composite="gamma"), by_captum(net, x, GammaRule, target))
    plus = attributed("lrp", net, x, target=target, composite="alpha_beta", alpha=1.0)
    close(plus, by_captum(net, x, Alpha1_Beta0_Rule, target, set_bias_to_zero=True))


def test_a_residual_sum_as_captum_has_it_and_in_other_words() -> None:
    net = frozen(Sum(6, Addition_Module()))
    x = torch.randn(3, 3, 8, 8)
    expected = LRP(net).attribute(x.clone().requires_grad_(), target=1).detach()
    close(attributed("lrp", net, x, target=1), expected)

    def other(x: torch.Tensor) -> torch.Tensor:
        first = torch.relu(net.first(x))
        total = net.second(first)
        total += first
        return net.head(torch.relu_(total).mean((2, 3)))

    close(attributed("lrp", other, x, target=1), expected)
    assert isinstance(frozen(OtherWords(net)), nn.Module)


def test_the_values_captum_publishes() -> None:
    """Weights 2, ReLU, weights 3 at (1, 2, 3): 108, shared 1 : 2 : 3."""
    net = frozen(basic_models.SimpleLRPModel(inplace=False))
    net.linear.weight.fill_(2.0)
    net.linear2.weight.fill_(3.0)
    x = torch.tensor([[1.0, 2.0, 3.0]])
    for composite in ("epsilon", "zero", "gamma", "alpha_beta"):
        close(attributed("lrp", net, x, composite=composite), torch.tensor([[18.0, 36.0, 54.0]]), 1e-6)


def test_two_layers_by_hand() -> None:
    """x = (1, 2), hidden (1 1; 1 -1) -> (3, -1) -> relu (3, 0), f = 2 * 3 + 5 * 0 + 1 = 7.

    Epsilon: the hidden 3 gets 6 of 7 (the bias keeps 1), the inputs 1/3 and 2/3 of it... and the bias keeps its share.
    """
    net = frozen(nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1)))
    net[0].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    net[2].weight.copy_(torch.tensor([[2.0, 5.0]]))
    net[2].bias.fill_(1.0)
    x = torch.tensor([[1.0, 2.0]])
    close(attributed("lrp", net, x), torch.tensor([[2.0, 4.0]]), 1e-6)


def test_one_layer_by_hand() -> None:
    """Contributions (4, 2, -3), f = 3: what each rule makes of them."""
    net = frozen(nn.Linear(3, 1, bias=False))
    net.weight.copy_(torch.tensor([[2.0, -1.0, -3.0]]))
    x = torch.tensor([[2.0, -2.0, 1.0]])

    def lrp(**options: object) -> list[float]:
        return [round(value, 5) for value in attributed("lrp", net, x, **options)[0].tolist()]

    assert lrp() == [4.0, 2.0, -3.0]
    assert lrp(epsilon=3.0) == [2.0, 1.0, -1.5]
    assert lrp(composite="gamma", gamma=0.5) == [3.0, 1.5, -1.5]  # (6, 3, -3) of 6
    assert lrp(composite="alpha_beta") == [4.0, 2.0, -3.0]  # 2 * 3 * (4, 2) / 6 - 3 * (-3) / (-3)
    assert lrp(composite="alpha_beta", alpha=1.0) == [2.0, 1.0, 0.0]
    assert lrp(composite="epsilon_plus_flat") == [1.0, 1.0, 1.0]
    # box [-3, 3]: x w - low w+ - high w-: (4 + 6, 2 + 3, -3 + 9) of 21
    box = attributed("lrp", net, x, composite="epsilon_gamma_box", low=-3.0, high=3.0)
    close(box, torch.tensor([[10.0, 5.0, 6.0]]) * 3 / 21, 1e-6)


@every_composite
@pytest.mark.parametrize("kind", ["vgg", "sum", "means"])
def test_relevance_is_conserved_without_biases(composite: str, kind: str) -> None:
    net = frozen(
        {
            "vgg": lambda: small_vgg(bias=False),
            "means": lambda: small_vgg(bias=False, means=True),
            "sum": lambda: Sum(6, Addition_Module()),
        }[kind]()
    )
    x = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        scores = net(x)[:, 1]
    found = attributed("lrp", net, x, target=1, composite=composite)
    assert torch.isfinite(found).all()
    assert float((found.flatten(1).sum(1) / scores - 1).abs().max()) < 0.01


@every_composite
@pytest.mark.parametrize("layers", ["conv", "dense", "transposed"])
def test_a_batch_norm_is_one_layer_with_the_one_before(composite: str, layers: str) -> None:
    made = {
        "conv": lambda: (nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), (2, 3, 6, 6)),
        "dense": lambda: (nn.Linear(5, 6), nn.BatchNorm1d(6), (2, 5)),
        "transposed": lambda: (nn.ConvTranspose2d(3, 6, 3), nn.BatchNorm2d(6), (2, 3, 4, 4)),
    }
    layer, norm, shape = made[layers]()
    net = nn.Sequential(layer, with_numbers(norm), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).eval()
    x = torch.randn(shape)
    net(x)
    frozen(net)
    fused = nn.utils.fusion.fuse_linear_bn_eval if layers == "dense" else nn.utils.fusion.fuse_conv_bn_eval
    one = frozen(fused(net[0], net[1], *([True] if layers == "transposed" else [])))
    close(
        attributed("lrp", net, x, composite=composite), attributed("lrp", nn.Sequential(one, *net[2:]), x, composite=composite)
    )


def test_a_lone_batch_norm_keeps_what_its_shift_made() -> None:
    norm = frozen(with_numbers(nn.BatchNorm1d(4)))
    x = torch.randn(3, 4)
    with torch.no_grad():
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    close(attributed("lrp", lambda x: norm(x).sum(1), x), x * scale)


@every_composite
def test_by_other_ways_it_is_the_same_net(composite: str) -> None:
    """A program that was exported, and an ONNX file that was translated."""
    expected = attributed("lrp", WAYS["net"], WAYS["x"], composite=composite)
    for other in WAYS["others"]:
        close(attributed("lrp", other, WAYS["x"], composite=composite), expected, 1e-4)


def _ways() -> dict[str, object]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net, x = small_vgg(), torch.randn(2, 3, 16, 16)
        return {"net": net, "x": x, "others": [*exported(net, x), translated(net, x)]}


@pytest.fixture(autouse=True, scope="module")
def ways() -> None:
    WAYS.update(_ways())


WAYS: dict = {}


@every_composite
def test_an_input_in_other_units_is_still_the_input(composite: str) -> None:
    net, x = small_vgg(), torch.rand(2, 3, 16, 16)
    mean, deviation = torch.rand(3, 1, 1), torch.rand(3, 1, 1) + 0.5
    expected = attributed("lrp", net, (x - mean) / deviation, composite=composite)
    close(attributed("lrp", lambda x: net((x - mean) / deviation), x, composite=composite), expected)


def test_the_first_layer_is_the_one_that_reads_the_input() -> None:
    """Flat, and only there: a first layer of zeros and ones shares equally, the second by its weights."""
    net = frozen(nn.Sequential(nn.Linear(4, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)))
    net[0].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]))
    net[2].weight.copy_(torch.tensor([[3.0, 1.0]]))
    x = torch.tensor([[1.0, 1.0, 5.0, 5.0]])
    assert attributed("lrp", net, x, composite="epsilon_plus_flat").tolist() == [[1.0, 1.0, 1.0, 1.0]]
    assert attributed("lrp", lambda x: net(x.reshape(2, 2).flatten()[None]), x, composite="epsilon_plus_flat").tolist() == [
        [1.0] * 4
    ]
    assert attributed("lrp", net, x).tolist() == [[3.0, 1.0, 0.0, 0.0]]


def test_what_a_model_writes_over_is_remembered() -> None:
    """Relevance needs the values as they were: a residual sum written into its own branch."""
    first, second = frozen(nn.Linear(4, 4, bias=False)), frozen(nn.Linear(4, 4, bias=False))

    def plain(x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(first(x))
        return torch.relu(y + second(y)).sum(1)

    def written(x: torch.Tensor) -> torch.Tensor:
        y = first(x).relu_()
        y += second(y)
        return y.relu_().sum(1)

    x = torch.randn(3, 4)
    assert torch.equal(attributed("lrp", written, x), attributed("lrp", plain, x))


def test_a_row_is_explained_alone() -> None:
    net, x = small_vgg(), torch.randn(4, 3, 16, 16)
    for composite in COMPOSITES:
        together = attributed("lrp", net, x, composite=composite)
        alone = torch.cat([attributed("lrp", net, row[None], composite=composite) for row in x])
        close(alone, together, 1e-4)


REFUSED: dict[str, tuple[Run, tuple[int, ...], str]] = {
    "lstm": (frozen(LastState(nn.LSTM(4, 3, batch_first=True))), (5, 4), "no rule for lstm"),
    "gru": (frozen(LastState(nn.GRU(4, 3, batch_first=True))), (5, 4), "no rule for gru"),
    "attention": (frozen(inner_nets.encoder()), (6, 8), "no rule for scaled_dot_product_attention"),
    "softmax": (frozen(nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1))), (4,), "explain the scores before it"),
    "a gate": (lambda x: x.sigmoid() * x.tanh(), (4,), "mul of two varying tensors"),
    "a product": (lambda x: (x[:, None] @ x[:, :, None])[:, 0], (4,), "matmul of two varying tensors"),
    "a norm of the row's own": (frozen(nn.LayerNorm(4)), (4,), "no rule for layer_norm"),
    "a quotient": (lambda x: 1 / x, (4,), "no rule for"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused_by_name(name: str) -> None:
    net, shape, words = REFUSED[name]
    with pytest.raises(OperationWithoutRule, match=words):
        attributed("lrp", net, torch.randn(2, *shape))


def test_composites_are_those_the_method_offers() -> None:
    from workers.methods import lrp

    assert set(lrp.COMPOSITES) == set(COMPOSITES)
