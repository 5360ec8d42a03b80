"""Recurrent cells step by step: every activation, clip, peephole and row length that ONNX knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.limits import turns
from workers.runtimes.onnx.node import Node

Function = Callable[[torch.Tensor], torch.Tensor]
Cell = Callable[[torch.Tensor, tuple[torch.Tensor, ...], int, Any], tuple[torch.Tensor, ...]]
"""(projected input, (hidden, cell), direction, weights) -> the new states."""

ACTIVATIONS: dict[str, Callable[[torch.Tensor, float, float], torch.Tensor]] = {
    "Relu": lambda x, a, b: F.relu(x),
    "Tanh": lambda x, a, b: torch.tanh(x),
    "Sigmoid": lambda x, a, b: torch.sigmoid(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: F.leaky_relu(x, a),
    "ThresholdedRelu": lambda x, a, b: torch.where(x > a, x, torch.zeros_like(x)),
    "ScaledTanh": lambda x, a, b: a * torch.tanh(b * x),
    "HardSigmoid": lambda x, a, b: (a * x + b).clamp(0, 1),
    "Elu": lambda x, a, b: F.elu(x, a),
    "Softsign": lambda x, a, b: F.softsign(x),
    "Softplus": lambda x, a, b: F.softplus(x),
}
DEFAULTS = {"LeakyRelu": (0.01, 0.0), "HardSigmoid": (0.2, 0.5), "Elu": (1.0, 0.0), "ThresholdedRelu": (1.0, 0.0)}
TAKES = {"Affine": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "ScaledTanh": 2, "HardSigmoid": 2, "Elu": 1}
"""How many of activation_alpha and activation_beta an activation uses up."""


def cell_of(
    node: Node, names: list[str], constants: tuple[Any, Any], clip: float | None, *, reset_after: bool, joined: bool
) -> Cell:
    """The node's step. Refuses unknown activations and lists of constants that do not fit them."""
    functions = [_activation(node, name, *pair) for name, pair in zip(names, _constants(node, names, constants), strict=True)]
    each = {"LSTM": 3, "GRU": 2, "RNN": 1}[node.op]

    def bounded(x: torch.Tensor) -> torch.Tensor:
        return x if clip is None else x.clamp(-clip, clip)

    def rnn(x: torch.Tensor, states: tuple[torch.Tensor, ...], direction: int, w: Any) -> tuple[torch.Tensor, ...]:
        return (functions[direction](bounded(x + states[0] @ w.r.T + w.rb)),)

    def gru(x: torch.Tensor, states: tuple[torch.Tensor, ...], direction: int, w: Any) -> tuple[torch.Tensor, ...]:
        f, g = functions[direction * each : direction * each + 2]
        hidden = states[0]
        (xz, xr, xh), (rz, rr, rh), (bz, br, bh) = x.chunk(3, -1), w.r.chunk(3), w.rb.chunk(3)
        update, reset = f(bounded(xz + hidden @ rz.T + bz)), f(bounded(xr + hidden @ rr.T + br))
        new = reset * (hidden @ rh.T + bh) if reset_after else (reset * hidden) @ rh.T + bh
        return ((1 - update) * g(bounded(xh + new)) + update * hidden,)

    def lstm(x: torch.Tensor, states: tuple[torch.Tensor, ...], direction: int, w: Any) -> tuple[torch.Tensor, ...]:
        f, g, h = functions[direction * each : direction * each + 3]
        hidden, cell = states
        i, o, forget, c = (x + hidden @ w.r.T + w.rb).chunk(4, -1)
        pi, po, pf = (0, 0, 0) if w.p is None else w.p.chunk(3)
        take = f(bounded(i + pi * cell))
        keep = 1 - take if joined else f(bounded(forget + pf * cell))
        cell = keep * cell + take * g(bounded(c))
        return f(bounded(o + po * cell)) * h(cell), cell

    return {"LSTM": lstm, "GRU": gru, "RNN": rnn}[node.op]


def _constants(node: Node, names: list[str], lists: tuple[Any, Any]) -> list[tuple[float, float]]:
    alphas, betas = (list(values or []) for values in lists)
    pairs = []
    for name in names:
        alpha, beta = DEFAULTS.get(name, (1.0, 0.0))
        if TAKES.get(name, 0) >= 1 and alphas:
            alpha = alphas.pop(0)
        if TAKES.get(name, 0) == 2 and betas:
            beta = betas.pop(0)
        pairs.append((alpha, beta))
    if any(alphas) or any(betas):
        node.refuse("has constants of activations that do not fit them")
    return pairs


def _activation(node: Node, name: str, alpha: float, beta: float) -> Function:
    if name not in ACTIVATIONS:
        node.refuse("has an activation that is not translated")
    return lambda x: ACTIVATIONS[name](x, alpha, beta)


class Weights:
    """One direction's weights: w [gates hidden, inputs], r [gates hidden, hidden], biases, peepholes."""

    def __init__(self, w: torch.Tensor, r: torch.Tensor, b: torch.Tensor | None, p: torch.Tensor | None) -> None:
        self.w, self.r, self.p = w, r, p
        half = len(w)
        self.wb, self.rb = (w.new_zeros(half), w.new_zeros(half)) if b is None else (b[:half], b[half:])


class Unrolled(nn.Module):
    """A recurrent layer as a loop over time. Inputs as ONNX has them: X W R B lengths H0 C0 P."""

    def __init__(self, cell: Cell, gates: int, direction: str, rows_first: bool, hidden: int) -> None:
        super().__init__()
        self.cell, self.gates, self.hidden = cell, gates, hidden
        self.directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
        self.rows_first = rows_first

    def forward(self, x: torch.Tensor, w: torch.Tensor, r: torch.Tensor, *rest: Any) -> tuple[Any, ...]:
        """Y, Y_h and, of an LSTM, Y_c."""
        given: list[Any] = [*rest, *[None] * (5 - len(rest))]
        b, lengths, h0, c0, p = given
        if self.rows_first:
            x = x.transpose(0, 1)
            h0, c0 = (None if state is None else state.transpose(0, 1) for state in (h0, c0))
        turns(x.shape[0], "a recurrent layer")
        made = []
        for number, backward in enumerate(self.directions):
            weights = Weights(w[number], r[number], None if b is None else b[number], None if p is None else p[number])
            zero = x.new_zeros(x.shape[1], self.hidden or r.shape[2])
            states = [zero if state is None else state[number] for state in ((h0, c0) if self.gates == 4 else (h0,))]
            made.append(self._direction(x, tuple(states), number, weights, lengths, backward))
        y = torch.stack([found for found, _ in made], 1)
        last = [torch.stack(states) for states in zip(*(states for _, states in made), strict=True)]
        if self.rows_first:
            return y.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in last)
        return y, *last

    def _direction(
        self, x: torch.Tensor, states: tuple[torch.Tensor, ...], number: int, weights: Weights, lengths: Any, backward: bool
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        projected = x @ weights.w.T + weights.wb
        order = range(len(x) - 1, -1, -1) if backward else range(len(x))
        found: dict[int, torch.Tensor] = {}
        for step in order:
            new = self.cell(projected[step], states, number, weights)
            if lengths is not None:  # a row that is over keeps its state, and puts out zeros
                alive = (step < lengths)[:, None]
                new = tuple(torch.where(alive, after, before) for after, before in zip(new, states, strict=True))
                found[step] = torch.where(alive, new[0], torch.zeros_like(new[0]))
            else:
                found[step] = new[0]
            states = new
        return torch.stack([found[step] for step in range(len(x))]), states
