"""LSTM, GRU and RNN: torch's own modules for the usual form, a loop over time for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workers.runtimes.onnx.apply import frozen
from workers.runtimes.onnx.builders.cells import Unrolled, cell_of
from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where torch's gates are among ONNX's: i f g o among i o f c, r z n among z r h."""


class Recurrent(nn.Module):
    """torch's recurrent module with ONNX's layout: Y [time, directions, rows, hidden], then the last states."""

    def __init__(self, module: nn.RNNBase, backward: bool, rows_first: bool) -> None:
        super().__init__()
        self.module = module
        self.backward, self.rows_first = backward, rows_first

    def forward(self, x: torch.Tensor, hidden: torch.Tensor | None = None, cell: torch.Tensor | None = None) -> tuple[Any, ...]:
        """Y, Y_h and, of an LSTM, Y_c."""
        if self.rows_first:
            x = x.transpose(0, 1)
            hidden, cell = (None if state is None else state.transpose(0, 1) for state in (hidden, cell))
        x = x.flip(0) if self.backward else x
        steps, directions, size = x.shape[0], 2 if self.module.bidirectional else 1, self.module.hidden_size
        zeros = x.new_zeros(directions, x.shape[1], size)
        hidden = zeros if hidden is None else hidden
        state: Any = (hidden, zeros if cell is None else cell) if isinstance(self.module, nn.LSTM) else hidden
        found, last = self.module(x, state)
        y = found.reshape(steps, x.shape[1], directions, size).transpose(1, 2)
        y = y.flip(0) if self.backward else y
        states = last if isinstance(last, tuple) else (last,)
        if self.rows_first:
            return y.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in states)
        return y, *states


@builds("LSTM", inputs=(3, 8), outputs=3)
@builds("GRU", "RNN", inputs=(3, 6), outputs=2)
def recurrent(node: Node) -> nn.Module:
    """The usual form has the usual activations, constant weights and neither clip, lengths nor peepholes."""
    direction, rows_first = node.text("direction", "forward"), bool(node.whole("layout", 0))
    if direction not in ("forward", "reverse", "bidirectional"):
        node.refuse("has a direction that is not translated")
    count = 2 if direction == "bidirectional" else 1
    activations = node.texts("activations") or USUAL[node.op] * count
    reset_after = bool(node.whole("linear_before_reset", 0)) if node.op == "GRU" else True
    joined = bool(node.whole("input_forget", 0)) if node.op == "LSTM" else False
    clip = node.number("clip") if node.given("clip") else None
    alphas, betas = node.numbers("activation_alpha"), node.numbers("activation_beta")
    weights = [node.constant(index) for index in (1, 2)]
    bias = node.constant(3)
    hidden = node.whole("hidden_size", 0) or (0 if weights[1] is None else weights[1].shape[2])
    plain = activations == USUAL[node.op] * count or (node.op == "RNN" and set(activations) == {"Relu"})
    constant = all(weight is not None for weight in weights) and (bias is not None or not node.has(3))
    usual = plain and reset_after and not joined and clip is None and not alphas and not betas
    if constant and not _fits(node, [weight for weight in (*weights, bias) if weight is not None], count):
        node.refuse("has weights whose shapes do not fit each other")
    if usual and constant and not node.has(4) and not node.has(7):
        for index in (1, 2, 3, 4, 7):
            node.drop(index)
        parts = [tensor_of(weight, node.label) for weight in (*weights, bias) if weight is not None]
        return Recurrent(_module(node.op, parts, count, activations[0]), direction == "reverse", rows_first)
    cell = cell_of(node, activations, (alphas, betas), clip, reset_after=reset_after, joined=joined)
    return Unrolled(cell, GATES[node.op], direction, rows_first, hidden)


def _fits(node: Node, weights: list[Any], directions: int) -> bool:
    """Whether W, R and B are of one hidden size: modules allocate by what the shapes say."""
    shapes = [weight.shape for weight in weights]
    if any(len(shape) != len(known) for shape, known in zip(shapes, ("dgi", "dgh", "db"), strict=False)):
        return False
    hidden = shapes[1][2]
    wide = GATES[node.op] * hidden
    bias = len(shapes) < 3 or tuple(shapes[2]) == (directions, 2 * wide)
    return bool(bias and tuple(shapes[0][:2]) == (directions, wide) and tuple(shapes[1]) == (directions, wide, hidden))


def _module(op: str, parts: list[torch.Tensor], directions: int, activation: str) -> nn.RNNBase:
    """Torch's module with ONNX's weights W [directions, gates hidden, inputs], R and B."""
    inputs, hidden = parts[0].shape[2], parts[1].shape[2]
    extra = {"nonlinearity": activation.lower()} if op == "RNN" else {}
    kinds: dict[str, Any] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
    module: nn.RNNBase = kinds[op](inputs, hidden, bidirectional=directions == 2, bias=len(parts) == 3, **extra)
    gates = GATES[op]
    for direction, suffix in zip(range(directions), ("_l0", "_l0_reverse"), strict=False):
        given = {"weight_ih": parts[0][direction], "weight_hh": parts[1][direction]}
        if len(parts) == 3:
            given |= {"bias_ih": parts[2][direction][: gates * hidden], "bias_hh": parts[2][direction][gates * hidden :]}
        for name, tensor in given.items():
            blocks = tensor.chunk(gates)
            setattr(module, name + suffix, frozen(torch.cat([blocks[place] for place in ORDER[op]])))
    return module.eval()
