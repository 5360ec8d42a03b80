"""Graphs within graphs: If, Loop and Scan, with bounded turns. Gradients flow through the turns that were made."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workers.runtimes.onnx.limits import turns
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


def _outer(node: Node, *graphs: nn.Module) -> list[tuple[str, ...]]:
    """Have the node given what its graphs read of the graphs around them; the names, per graph."""
    free: list[tuple[str, ...]] = [tuple(graph.free) for graph in graphs]  # type: ignore[arg-type]
    node.inputs += tuple(dict.fromkeys(name for names in free for name in names))
    return free


class If(nn.Module):
    """One of two graphs."""

    def __init__(self, then: nn.Module, other: nn.Module, reads: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        super().__init__()
        self.then, self.other = then, other
        self.reads = reads

    def forward(self, condition: torch.Tensor, *outer: Any) -> tuple[Any, ...]:
        """The outputs of the graph that the condition picks."""
        taken = bool(condition.reshape(-1)[0])
        graph, places = (self.then, self.reads[0]) if taken else (self.other, self.reads[1])
        answer: tuple[Any, ...] = graph(*(outer[place] for place in places))
        return answer


@builds("If", inputs=(1, 1), outputs=None)
def if_(node: Node) -> nn.Module:
    """Either branch."""
    then, other = node.graph("then_branch"), node.graph("else_branch")
    one, two = _outer(node, then, other)
    names = node.inputs[1:]
    return If(then, other, (tuple(map(names.index, one)), tuple(map(names.index, two))))


class Loop(nn.Module):
    """A graph again and again: while its condition holds, at most so many times."""

    def __init__(self, body: nn.Module, carried: int) -> None:
        super().__init__()
        self.body, self.carried = body, carried

    def forward(self, count: torch.Tensor | None, condition: torch.Tensor | None, *rest: Any) -> tuple[Any, ...]:
        """What is carried after the last turn, then what each turn put out, stacked."""
        state, outer = list(rest[: self.carried]), rest[self.carried :]
        limit = None if count is None else int(count.reshape(-1)[0])
        going, turn = condition is None or bool(condition.reshape(-1)[0]), 0
        stacked: list[list[torch.Tensor]] = [[] for _ in range(len(self.body.outputs) - 1 - self.carried)]  # type: ignore[arg-type]
        while going and (limit is None or turn < limit):
            turns(turn + 1, "Loop")
            number = torch.tensor(turn, device=_device(rest))
            flag = torch.tensor(True, device=_device(rest))
            going_tensor, *made = self.body(number, flag, *state, *outer)
            state = made[: self.carried]
            for parts, value in zip(stacked, made[self.carried :], strict=True):
                parts.append(value)
            going, turn = bool(going_tensor.reshape(-1)[0]), turn + 1
        return (*state, *(torch.stack(parts) if parts else torch.zeros(0, device=_device(rest)) for parts in stacked))


def _device(values: Any) -> torch.device:
    return next((value.device for value in values if isinstance(value, torch.Tensor)), torch.device("cpu"))


@builds("Loop", inputs=(2, None), outputs=None)
def loop(node: Node) -> nn.Module:
    """The body's inputs: turn, condition, what is carried; outputs: condition, what is carried, what is stacked."""
    body, carried = node.graph("body"), len(node.inputs) - 2
    _outer(node, body)
    return Loop(body, carried)


class Scan(nn.Module):
    """A graph over the slices of tensors."""

    def __init__(
        self, body: nn.Module, scanned: int, axes: list[int], backward: list[int], out_axes: list[int], out_backward: list[int]
    ) -> None:
        super().__init__()
        self.body, self.scanned = body, scanned
        self.axes, self.backward = axes, backward
        self.out_axes, self.out_backward = out_axes, out_backward

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        """The state after the last slice, then what each slice put out, stacked along its axis."""
        outer_count = len(self.body.free)  # type: ignore[arg-type]
        values, outer = inputs[: len(inputs) - outer_count], inputs[len(inputs) - outer_count :]
        state, tensors = list(values[: -self.scanned]), values[-self.scanned :]
        carried = len(state)
        length = turns(tensors[0].shape[self.axes[0]], "Scan")
        stacked: list[list[torch.Tensor]] = [[] for _ in self.out_axes]
        for turn in range(length):
            slices = [
                tensor.select(axis, length - 1 - turn if back else turn)
                for tensor, axis, back in zip(tensors, self.axes, self.backward, strict=True)
            ]
            made = self.body(*state, *slices, *outer)
            state = list(made[:carried])
            for parts, value in zip(stacked, made[carried:], strict=True):
                parts.append(value)
        whole = [
            torch.stack(parts[::-1] if back else parts, axis)
            for parts, axis, back in zip(stacked, self.out_axes, self.out_backward, strict=True)
        ]
        return (*state, *whole)


@builds("Scan", inputs=(1, None), outputs=None)
def scan(node: Node) -> nn.Module:
    """Since opset 9; the older form, with a batch axis and lengths, is refused."""
    if node.version < 9:
        node.refuse("of opset 8 is not translated")
    body, scanned = node.graph("body"), node.whole("num_scan_inputs")
    carried = len(node.inputs) - scanned
    outputs = len(body.outputs) - carried  # type: ignore[arg-type]
    if scanned < 1 or carried < 0 or outputs < 0:
        node.refuse("has fewer inputs or outputs than it says")
    axes = node.wholes("scan_input_axes") or [0] * scanned
    backward = node.wholes("scan_input_directions") or [0] * scanned
    out_axes = node.wholes("scan_output_axes") or [0] * outputs
    out_backward = node.wholes("scan_output_directions") or [0] * outputs
    _outer(node, body)
    return Scan(body, scanned, axes, backward, out_axes, out_backward)
