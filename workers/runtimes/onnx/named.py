"""Names for a graph's tensors as layers: the source's modules where the exporter wrote them down, else the tensors' own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from workers.inside.net import Part
from workers.runtimes.onnx.graph import Graph, Step

LEARNING = ("Conv", "ConvTranspose", "Gemm", "LSTM", "GRU", "RNN")


@dataclass(frozen=True)
class NamedTensor:
    """A layer: its name without the number of a call, that number, the tensor it puts out, and what is known of it."""

    path: str
    call: int
    tensor: str
    part: Part


def named_tensors(graph: Graph) -> tuple[NamedTensor, ...]:
    """The layers, in the order in which their tensors are computed; of one tensor the innermost first.

    A module that did one and the same operation several times, apart from each other, was called as often.
    """
    by_scope: dict[str, list[Step]] = defaultdict(list)
    unnamed: list[Step] = []
    for step in graph.steps:
        for scope in step.scopes:
            by_scope[scope].append(step)
        if not step.scopes and step.outputs[0]:
            unnamed.append(step)
    inner = {scope for scope in by_scope for other in by_scope if other.startswith(scope + ".")}
    found: list[tuple[int, int, NamedTensor]] = []
    for scope, steps in by_scope.items():
        calls = [[step] for step in steps] if scope not in inner and _repeated(steps) else [steps]
        for number, call in enumerate(calls, 1):
            last = call[-1]
            made = NamedTensor(scope, number, last.outputs[0], Part(_type(call), _learned(graph, call)))
            found.append((last.index, -scope.count("."), made))
    for step in unnamed:
        made = NamedTensor(step.outputs[0], 1, step.outputs[0], Part(step.label, _learned(graph, [step])))
        found.append((step.index, 0, made))
    return tuple(made for _, _, made in sorted(found, key=lambda entry: entry[:2]) if made.tensor)


def _type(steps: Sequence[Step]) -> str:
    """What a layer is called after: the operator that has weights, where all its steps are one module's own."""
    if len({step.scopes for step in steps}) > 1:
        return "Module"
    return next((step.label for step in steps if step.label in LEARNING), steps[-1].label)


def _repeated(steps: Sequence[Step]) -> bool:
    """Whether these are several calls of one operation: none reads what another of them makes."""
    if len(steps) < 2 or len({step.label for step in steps}) > 1:
        return False
    made = {name for step in steps for name in step.outputs}
    return not any(made.intersection(step.inputs) for step in steps)


def _learned(graph: Graph, steps: Sequence[Step]) -> int:
    """Numbers that the steps have learned: weights of their modules, and constants of floats that they read."""
    own = sum(
        tensor.numel()
        for step in steps
        for tensor in (*graph.nodes[step.index].parameters(), *graph.nodes[step.index].buffers())
        if tensor.is_floating_point()
    )
    read = {name for step in steps for name in step.inputs}
    return own + sum(
        tensor.numel() for name in read if (tensor := graph.constant(name)) is not None and tensor.is_floating_point()
    )
