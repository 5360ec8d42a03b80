"""Attention weights, wherever they are computed: every call that makes them passes through here and is done in the open.

`nn.MultiheadAttention` and scaled dot-product kernels hide their weights, or average them over the heads; here they are
computed as the formula says (Vaswani et al. 2017) and shown. A softmax whose result multiplies a matrix is one, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from explainery.contract.errors import OperationWithoutRule
from workers.inside.net import Listener

SOFTMAX = (torch.softmax, torch.Tensor.softmax, functional.softmax, torch.ops.aten.softmax.int, torch.ops.aten._softmax.default)
PRODUCTS = (
    torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.bmm, torch.Tensor.__matmul__,
    torch.ops.aten.matmul.default, torch.ops.aten.bmm.default,
)  # fmt: skip
DROPOUTS = (functional.dropout, torch.dropout, torch.ops.aten.dropout.default)
SCALED = (functional.scaled_dot_product_attention, torch.ops.aten.scaled_dot_product_attention.default)


class Attention(TorchFunctionMode):
    """Shows attention weights to `heard`, with the name of the module that computes them and the number of its call.

    What `heard` returns is what the computation goes on with. Weights are [rows, heads, queries, keys], or [rows * heads,
    queries, keys] where the model computes them so.
    """

    def __init__(self, where: Callable[[], str], heard: Listener) -> None:
        super().__init__()
        self._where = where
        self._heard = heard
        self._calls: dict[str, int] = {}
        self._weights: list[torch.Tensor] = []
        """Results of softmax that may turn out to be attention."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer a torch function."""
        kwargs = kwargs or {}
        if func is functional.multi_head_attention_forward:
            return _multi_head(self._shown, *args, **kwargs)
        if func in SCALED:
            return _scaled_dot_product(self._shown, *args, **kwargs)
        if func in PRODUCTS and len(args) == 2 and any(args[0] is known for known in self._weights):
            return func(self._shown(args[0]), args[1], **kwargs)
        if func in DROPOUTS and not kwargs.get("training", len(args) > 2 and args[2]):
            return args[0] if args else kwargs["input"]
        answer = func(*args, **kwargs)
        if func in SOFTMAX and isinstance(answer, torch.Tensor) and answer.ndim >= 3:
            self._weights.append(answer)
        return answer

    def _shown(self, weights: torch.Tensor) -> torch.Tensor:
        place = self._where()
        self._calls[place] = self._calls.get(place, 0) + 1
        return self._heard(f"{place}#{self._calls[place]}", weights)


Shown = Callable[[torch.Tensor], torch.Tensor]


def _scaled_dot_product(
    shown: Shown,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """`scaled_dot_product_attention` by its formula. In evaluation there is no dropout."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return shown(torch.softmax(scores, dim=-1)) @ value


def _multi_head(
    shown: Shown,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: torch.Tensor | None,
    in_proj_bias: torch.Tensor | None,
    bias_k: torch.Tensor | None,
    bias_v: torch.Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: torch.Tensor,
    out_proj_bias: torch.Tensor | None,
    training: bool = True,
    key_padding_mask: torch.Tensor | None = None,
    need_weights: bool = True,
    attn_mask: torch.Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: torch.Tensor | None = None,
    k_proj_weight: torch.Tensor | None = None,
    v_proj_weight: torch.Tensor | None = None,
    static_k: torch.Tensor | None = None,
    static_v: torch.Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`multi_head_attention_forward` by its formula: sequence first, [L, N, E], as the module calls it."""
    if bias_k is not None or bias_v is not None or add_zero_attn or static_k is not None or static_v is not None:
        raise OperationWithoutRule("Attention with extra keys (bias_k, add_zero_attn, static_k) cannot be looked into.")
    if query.ndim == 2:
        raise OperationWithoutRule("Attention without a batch axis cannot be looked into.")
    own = (q_proj_weight, k_proj_weight, v_proj_weight)
    matrices: Any = own if use_separate_proj_weight or in_proj_weight is None else in_proj_weight.chunk(3)
    biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    q, k, v = (
        _heads(functional.linear(tensor, matrix, bias), num_heads)
        for tensor, matrix, bias in zip((query, key, value), matrices, biases, strict=True)
    )
    rows = query.shape[1]
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if attn_mask is not None:
        scores = _masked(scores, attn_mask.view(rows, num_heads, *attn_mask.shape[1:]) if attn_mask.ndim == 3 else attn_mask)
    if key_padding_mask is not None:
        scores = _masked(scores, key_padding_mask[:, None, None, :])
    weights = shown(torch.softmax(scores, dim=-1))
    mixed = (weights @ v).permute(2, 0, 1, 3).reshape(query.shape[0], rows, -1)
    answer = functional.linear(mixed, out_proj_weight, out_proj_bias)
    if not need_weights:
        return answer, None
    return answer, weights.mean(1) if average_attn_weights else weights


def _heads(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """[L, N, E] as [N, heads, L, E / heads]."""
    length, rows, width = tensor.shape
    return tensor.reshape(length, rows, heads, width // heads).permute(1, 2, 0, 3)


def _masked(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """True in a mask of booleans means: not allowed. Others are added."""
    return scores.masked_fill(mask, -math.inf) if mask.dtype == torch.bool else scores + mask
