"""LSTM, GRU and RNN written out step by step, called as torch's kernels are: the kernels hide what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from workers.inside.backward.calls import Call

States = tuple[torch.Tensor, ...]
Cell = Callable[[torch.Tensor, States, "Weights"], States]
"""(one step's input, the states) -> the new states, the first of which is put out."""
KERNELS = ("lstm", "gru", "rnn_tanh", "rnn_relu")


class Weights:
    """One layer's and direction's weights, as torch lists them: input, hidden, their biases, and a projection."""

    def __init__(self, listed: Sequence[torch.Tensor], biases: bool, projected: bool) -> None:
        self.input, self.hidden = listed[0], listed[1]
        self.input_bias: torch.Tensor | None = listed[2] if biases else None
        self.hidden_bias: torch.Tensor | None = listed[3] if biases else None
        self.projection = listed[-1] if projected else None

    def of_input(self, x: torch.Tensor) -> torch.Tensor:
        """The gates' share of the input."""
        return torch.nn.functional.linear(x, self.input, self.input_bias)

    def of_hidden(self, h: torch.Tensor) -> torch.Tensor:
        """The gates' share of the last step."""
        return torch.nn.functional.linear(h, self.hidden, self.hidden_bias)


def is_packed(call: Call) -> bool:
    """Whether a kernel is called on a packed sequence: its second argument is then the batch sizes."""
    if call.name not in KERNELS:
        return False
    if call.name == "lstm":
        return isinstance(call.args[1], torch.Tensor)
    return isinstance(call.args[2], torch.Tensor)


def lstm(x: torch.Tensor, states: States, weights: Sequence[torch.Tensor], biases: bool, layers: int, *rest: Any) -> States:
    """Output and last states of torch.lstm; `rest`: dropout, train, bidirectional, batch_first."""
    projected = len(weights) // (layers * (1 + bool(rest[2]))) == 2 + 2 * biases + 1
    return _layers(_lstm_cell, x, tuple(states), _listed(weights, biases, projected), rest[2], rest[3])


def gru(x: torch.Tensor, state: torch.Tensor, weights: Sequence[torch.Tensor], biases: bool, layers: int, *rest: Any) -> States:
    """Output and last state of torch.gru."""
    return _layers(_gru_cell, x, (state,), _listed(weights, biases), rest[2], rest[3])


def rnn_tanh(
    x: torch.Tensor, state: torch.Tensor, weights: Sequence[torch.Tensor], biases: bool, layers: int, *rest: Any
) -> States:
    """Output and last state of torch.rnn_tanh."""
    return _layers(_rnn_cell(torch.tanh), x, (state,), _listed(weights, biases), rest[2], rest[3])


def rnn_relu(
    x: torch.Tensor, state: torch.Tensor, weights: Sequence[torch.Tensor], biases: bool, layers: int, *rest: Any
) -> States:
    """Output and last state of torch.rnn_relu."""
    return _layers(_rnn_cell(torch.relu), x, (state,), _listed(weights, biases), rest[2], rest[3])


def _listed(weights: Sequence[torch.Tensor], biases: bool, projected: bool = False) -> list[Weights]:
    each = 2 + 2 * biases + projected
    return [Weights(weights[at : at + each], biases, projected) for at in range(0, len(weights), each)]


def _lstm_cell(x: torch.Tensor, states: States, weights: Weights) -> States:
    hidden, cell = states
    i, f, g, o = (x + weights.of_hidden(hidden)).chunk(4, -1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    hidden = torch.sigmoid(o) * torch.tanh(cell)
    return hidden if weights.projection is None else hidden @ weights.projection.T, cell


def _gru_cell(x: torch.Tensor, states: States, weights: Weights) -> States:
    (hidden,) = states
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), weights.of_hidden(hidden).chunk(3, -1)
    new = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return (new + torch.sigmoid(xz + hz) * (hidden - new),)


def _rnn_cell(activation: Callable[[torch.Tensor], torch.Tensor]) -> Cell:
    return lambda x, states, weights: (activation(x + weights.of_hidden(states[0])),)


def _layers(cell: Cell, x: torch.Tensor, states: States, weights: list[Weights], both_ways: bool, rows_first: bool) -> States:
    """All layers, one after the other; each direction has its own weights and its own row of the states."""
    x = x.transpose(0, 1) if rows_first else x
    directions = 2 if both_ways else 1
    last: list[States] = []
    for at in range(0, len(weights), directions):
        found = []
        for way in range(directions):
            y, ended = _steps(cell, x, tuple(state[at + way] for state in states), weights[at + way], backward=bool(way))
            found.append(y)
            last.append(ended)
        x = torch.cat(found, -1) if both_ways else found[0]
    x = x.transpose(0, 1) if rows_first else x
    return x, *(torch.stack(ends) for ends in zip(*last, strict=True))


def _steps(cell: Cell, x: torch.Tensor, states: States, weights: Weights, *, backward: bool) -> tuple[torch.Tensor, States]:
    steps = list(weights.of_input(x).unbind(0))
    found = []
    for step in reversed(steps) if backward else steps:
        states = cell(step, states, weights)
        found.append(states[0])
    return torch.stack(found[::-1] if backward else found), states
