"""Operators of com.microsoft that exporters and ONNX Runtime's transformer tools write."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.builders.normalisation import normalised
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import CONTRIB, builds


@builds("Gelu", domain=CONTRIB)
def gelu(node: Node) -> nn.Module:
    """By the error function."""
    return nn.GELU()


@builds("FastGelu", inputs=(1, 2), domain=CONTRIB)
def fast_gelu(node: Node) -> nn.Module:
    """By tanh, after a bias where there is one."""
    if not node.has(1):
        node.drop(1)
        return nn.GELU("tanh")
    return Apply("FastGelu", lambda x, bias: F.gelu(x + bias, approximate="tanh"))


@builds("BiasGelu", inputs=(2, 2), domain=CONTRIB)
def bias_gelu(node: Node) -> nn.Module:
    """By the error function, after a bias."""
    return Apply("BiasGelu", lambda x, bias: F.gelu(x + bias))


@builds("QuickGelu", domain=CONTRIB)
def quick_gelu(node: Node) -> nn.Module:
    """X sigmoid(alpha x)."""
    alpha = node.number("alpha", 1.702)
    return Apply("QuickGelu", lambda x: x * torch.sigmoid(alpha * x))


@builds("SkipLayerNormalization", inputs=(3, 5), outputs=4, domain=CONTRIB)
def skip_layer_norm(node: Node) -> nn.Module:
    """The layer normalisation of a sum; the sum is the fourth output."""
    epsilon = node.number("epsilon", 1e-12)
    if node.wants(1) or node.wants(2):
        node.refuse("with statistics as outputs is not translated")

    def normed(x: Any, skip: Any, scale: Any, shift: Any = None, bias: Any = None) -> tuple[Any, ...]:
        total = x + skip if bias is None else x + skip + bias
        return normalised(total, scale, shift, -1, epsilon)[0], None, None, total

    return Apply("SkipLayerNormalization", normed)


@builds("SkipSimplifiedLayerNormalization", inputs=(3, 4), outputs=4, domain=CONTRIB)
def skip_rms_norm(node: Node) -> nn.Module:
    """The root-mean-square normalisation of a sum; the sum is the fourth output."""
    epsilon = node.number("epsilon", 1e-12)
    if node.wants(1) or node.wants(2):
        node.refuse("with statistics as outputs is not translated")

    def normed(x: Any, skip: Any, scale: Any, bias: Any = None) -> tuple[Any, ...]:
        total = x + skip if bias is None else x + skip + bias
        return total * torch.rsqrt(total.pow(2).mean(-1, keepdim=True) + epsilon) * scale, None, None, total

    return Apply("SkipSimplifiedLayerNormalization", normed)


@builds("EmbedLayerNormalization", inputs=(7, 9), outputs=3, domain=CONTRIB)
def embed_layer_norm(node: Node) -> nn.Module:
    """The normalised sum of word, position and segment embeddings; the mask's lengths are the second output."""
    epsilon = node.number("epsilon", 1e-12)
    node.ignore("mask_index_type")
    if node.has(7) and node.wants(1):
        node.refuse("with a mask of lengths is not translated")

    def embedded(
        ids: Any,
        segments: Any,
        words: Any,
        positions: Any,
        kinds: Any,
        scale: Any,
        shift: Any,
        mask: Any = None,
        places: Any = None,
    ) -> tuple[Any, ...]:
        total = words[ids.long()] + (positions[: ids.shape[1]] if places is None else positions[places.long()])
        if segments is not None:
            total = total + kinds[segments.long()]
        return normalised(total, scale, shift, -1, epsilon)[0], None, total

    return Apply("EmbedLayerNormalization", embedded)


@builds("FusedMatMul", inputs=(2, 2), domain=CONTRIB)
def fused_matmul(node: Node) -> nn.Module:
    """A scaled product with matrices turned."""
    alpha, turn_a, turn_b = node.number("alpha", 1.0), node.whole("transA", 0), node.whole("transB", 0)
    if node.whole("transBatchA", 0) or node.whole("transBatchB", 0):
        node.refuse("with turned batches is not translated")

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return alpha * torch.matmul(a.mT if turn_a and a.ndim > 1 else a, b.mT if turn_b and b.ndim > 1 else b)

    return Apply("FusedMatMul", product)


def heads_apart(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[rows, time, heads size] -> [rows, heads, time, size]."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def attended(q: Any, k: Any, v: Any, scale: float, added: Any) -> torch.Tensor:
    """Softmax attention of [rows, heads, time, size] tensors, heads joined again."""
    scores = torch.matmul(q, k.mT) * (scale or 1 / math.sqrt(q.shape[-1]))
    scores = scores if added is None else scores + added
    answer: torch.Tensor = torch.matmul(torch.softmax(scores, -1), v).transpose(1, 2).flatten(2)
    return answer


def mask_of(mask: Any, q: torch.Tensor, keys: int, filling: float, *, causal: bool) -> Any:
    """What is added to the scores: for a mask [rows, keys] of ones and zeros, or lengths [rows]; and for what comes later."""
    added: Any = None
    if mask is not None:
        keep = torch.arange(keys, device=q.device) < mask[:, None] if mask.ndim == 1 else mask.bool()
        keep = keep[:, None, None, :] if keep.ndim == 2 else keep[:, None]
        added = torch.where(keep, 0.0, filling).to(q.dtype)
    if causal:
        later = torch.ones(q.shape[-2], keys, dtype=torch.bool, device=q.device).triu(keys - q.shape[-2] + 1)
        blocked = torch.where(later, filling, 0.0).to(q.dtype)
        added = blocked if added is None else added + blocked
    return added


@builds("Attention", inputs=(2, 6), outputs=1, domain=CONTRIB)
def attention(node: Node) -> nn.Module:
    """Self-attention from one packed weight; without a past."""
    heads, causal, scale = node.whole("num_heads"), bool(node.whole("unidirectional", 0)), node.number("scale", 0.0)
    filling = node.number("mask_filter_value", -10000.0)
    if node.has(4) or node.given("do_rotary") or node.given("qkv_hidden_sizes"):
        node.refuse("with a past, rotation or unequal sizes is not translated")

    def attention_of(
        x: Any, weight: Any, bias: Any = None, mask: Any = None, past: Any = None, extra: Any = None
    ) -> torch.Tensor:
        packed = torch.matmul(x, weight)
        q, k, v = (heads_apart(part, heads) for part in (packed if bias is None else packed + bias).chunk(3, -1))
        added = mask_of(mask, q, k.shape[-2], filling, causal=causal)
        if extra is not None:
            added = extra if added is None else added + extra
        return attended(q, k, v, scale, added)

    return Apply("Attention", attention_of)


@builds("MultiHeadAttention", inputs=(3, 6), outputs=1, domain=CONTRIB)
def multi_head_attention(node: Node) -> nn.Module:
    """Attention of projected queries, keys and values; without a past."""
    heads, causal, scale = node.whole("num_heads"), bool(node.whole("unidirectional", 0)), node.number("scale", 0.0)
    filling = node.number("mask_filter_value", -10000.0)

    def attention_of(q: Any, k: Any, v: Any, bias: Any = None, mask: Any = None, extra: Any = None) -> torch.Tensor:
        if bias is not None:
            first, second = q.shape[-1], q.shape[-1] + k.shape[-1]
            q, k, v = q + bias[:first], k + bias[first:second], v + bias[second:]
        q, k, v = (heads_apart(part, heads) for part in (q, k, v))
        added = mask_of(mask, q, k.shape[-2], filling, causal=causal)
        if extra is not None:
            added = extra if added is None else added + extra
        return attended(q, k, v, scale, added)

    return Apply("MultiHeadAttention", attention_of)


@builds("CDist", inputs=(2, 2), domain=CONTRIB)
def cdist(node: Node) -> nn.Module:
    """Distances between rows of two matrices (kernel methods of scikit-learn)."""
    metric = node.text("metric", "sqeuclidean")
    if metric not in ("euclidean", "sqeuclidean"):
        node.refuse("has a metric that is not translated")

    def distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        squares = (a[:, None, :] - b[None, :, :]).pow(2).sum(-1)
        return squares if metric == "sqeuclidean" else squares.sqrt()

    return Apply("CDist", distances)


@builds("Inverse", domain=CONTRIB)
def inverse(node: Node) -> nn.Module:
    """Inverses of matrices."""
    return Apply("Inverse", torch.linalg.inv)
