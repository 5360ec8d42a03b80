"""A model again with shuffled weights: what changes, what stays, and that the original does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workers.inside.shuffling import shuffled, weighted
from workers.inside.watched import learned_of


def tied() -> nn.Sequential:
    torch.manual_seed(0)
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), second, nn.LayerNorm(4), nn.Linear(4, 2))


BODIES = {
    "an MLP with tied weights": (tied, (3, 4)),
    "an LSTM": (lambda: nn.LSTM(4, 5, batch_first=True), (3, 6, 4)),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (3, 5, 8)),
    "a CNN": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3)), (2, 1, 8, 8)),
}


def out(body: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        answer = body(x)
    return answer[0] if isinstance(answer, tuple) else answer


@pytest.mark.parametrize("name", BODIES)
def test_all_layers(name: str) -> None:
    make, shape = BODIES[name]
    with torch.random.fork_rng():
        body, x = make().eval(), torch.randn(shape)
    before, learned = out(body, x), tuple(learned_of(body))
    copy = shuffled(body, learned, weighted(learned), seed=1)
    assert not torch.allclose(out(copy, x), before, atol=1e-3)
    assert torch.equal(out(body, x), before)
    assert torch.equal(out(shuffled(body, learned, weighted(learned), seed=1), x), out(copy, x))
    assert not torch.equal(out(shuffled(body, learned, weighted(learned), seed=2), x), out(copy, x))
    for (_, ours), (_, theirs) in zip(copy.named_parameters(), body.named_parameters(), strict=True):
        assert torch.equal(ours.flatten().sort().values, theirs.flatten().sort().values)


def test_some_layers_share_the_rest() -> None:
    with torch.random.fork_rng():
        body = tied().eval()
    learned = tuple(learned_of(body))
    copy = shuffled(body, learned, ("4",), seed=0)
    assert copy[0].weight is body[0].weight is copy[2].weight
    assert copy[4].weight is not body[4].weight
    tops = shuffled(body, learned, ("0",), seed=0)
    assert tops[0].weight is tops[2].weight is not body[0].weight


def test_what_a_shuffle_cannot_change_has_no_weights() -> None:
    with torch.random.fork_rng():
        body = tied()
    assert weighted(learned_of(body)) == ("0", "2", "4")  # a fresh layer norm is ones and zeros
    assert weighted(learned_of(nn.ReLU())) == ()
