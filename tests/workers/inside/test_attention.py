"""Attention weights against what the models themselves show, and what is made of them against the formulas by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from explainery.contract.errors import NoAttention
from workers.local import Local, Order

Rows = Callable[..., NDArray[Any]]
Module = Callable[[str], nn.Module]


def asked(lab: Local, model: str, method: str, rows: NDArray[Any], **params: Any) -> dict[str, NDArray[Any]]:
    return lab.explain(model, Order(method, {"input": rows}, params, target=1))[1]


def weights_of(net: nn.Module, x: torch.Tensor, batch_first: bool) -> list[torch.Tensor]:
    """Every layer's weights, per head, as `nn.MultiheadAttention` gives them when it is asked."""
    found = []
    tokens = x if batch_first else x.transpose(0, 1)
    for layer in net.encoder.layers:
        found.append(layer.self_attn(tokens, tokens, tokens, need_weights=True, average_attn_weights=False)[1])
        tokens = layer(tokens)
    return found


@pytest.mark.parametrize("model", ["encoder", "encoder-second"])
def test_weights_of_multihead_attention(inner_lab: Local, rows: Rows, module: Module, model: str) -> None:
    x, net = rows(model), module(model)
    arrays = asked(inner_lab, model, "attention_weights", x)
    for number, theirs in enumerate(weights_of(net, torch.tensor(x), batch_first=model == "encoder")):
        ours = arrays[f"maps.attention.encoder.layers.{number}.self_attn"]
        np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(ours.sum(axis=-1), 1, atol=1e-6)


def test_a_kernel_that_hides_its_weights_shows_the_same(inner_lab: Local, rows: Rows) -> None:
    hidden, shown = (asked(inner_lab, model, "attention_gradient", rows("bert")) for model in ("bert", "bert-open"))
    np.testing.assert_allclose(hidden["maps.tokens"], shown["maps.tokens"], atol=1e-6)
    np.testing.assert_allclose(hidden["attributions.input"], shown["attributions.input"], atol=1e-6)


def test_rollout_by_hand(inner_lab: Local, rows: Rows, module: Module) -> None:
    x = rows("encoder", 1)
    expected = np.eye(9)
    for weights in weights_of(module("encoder"), torch.tensor(x), batch_first=True):
        expected = (0.5 * weights[0].mean(0).detach().numpy() + 0.5 * np.eye(9)) @ expected
    arrays = asked(inner_lab, "encoder", "attention_rollout", x, query="first")
    np.testing.assert_allclose(arrays["maps.relevance"][0], expected, atol=1e-6)
    np.testing.assert_allclose(arrays["maps.tokens"][0], expected[0], atol=1e-6)
    np.testing.assert_allclose(arrays["attributions.input"][0].sum(axis=1), expected[0], atol=1e-6)


def test_relevance_by_hand(inner_lab: Local, rows: Rows, module: Module) -> None:
    """Chefer's rule on gradients that the model's own open softmax gives."""
    x, net = rows("bert-open", 1), module("bert-open")
    kept: list[torch.Tensor] = []
    softmax = torch.softmax

    def keeping(*args: Any, **kwargs: Any) -> torch.Tensor:
        kept.append(softmax(*args, **kwargs))
        return kept[-1]

    torch.softmax = keeping
    try:
        score = net(torch.tensor(x))[0, 1]
    finally:
        torch.softmax = softmax
    relevance = np.eye(12)
    for weights, slope in zip(kept, torch.autograd.grad(score, kept), strict=True):
        relevance = relevance + (weights * slope)[0].clamp(min=0).mean(0).detach().numpy() @ relevance
    arrays = asked(inner_lab, "bert-open", "attention_gradient", x, query="first")
    np.testing.assert_allclose(arrays["maps.tokens"][0], (relevance - np.eye(12))[0], atol=1e-6)


def test_patches_go_back_to_their_place(inner_lab: Local, rows: Rows) -> None:
    arrays = asked(inner_lab, "vit", "attention_rollout", rows("vit"))
    tokens, drawn = arrays["maps.tokens"], arrays["attributions.input"]
    assert tokens.shape == (3, 17)
    assert drawn.shape == (3, 3, 16, 16)
    best = tokens[:, 1:].argmax(axis=1)
    places = drawn[:, 0].reshape(3, 4, 4, 4, 4).mean(axis=(2, 4)).reshape(3, 16).argmax(axis=1)
    assert (best == places).all()


def test_no_attention_is_said(inner_lab: Local, rows: Rows) -> None:
    with pytest.raises(Exception, match="no layer that computes attention weights") as refusal:
        asked(inner_lab, "vgg", "attention_rollout", rows("vgg"))
    assert refusal.value.code == NoAttention.code  # type: ignore[attr-defined]
