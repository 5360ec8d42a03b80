"""A translated graph as a computation that can be looked into: its layers are tensors."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch

from workers.inside.net import Learned, Listener, Mode, Part, Tap
from workers.runtimes.onnx.graph import Graph, Step
from workers.runtimes.onnx.named import NamedTensor, named_tensors

Laid = Callable[[torch.Tensor], torch.Tensor]


class Layered:
    """A graph as a `Net` (see `workers.inside.net`). `output`: the explained tensor."""

    def __init__(self, graph: Graph, output: str) -> None:
        self.graph = graph
        self.output = output
        self._named = named_tensors(graph)
        self._of_tensor: dict[str, list[NamedTensor]] = defaultdict(list)
        for each in self._named:
            self._of_tensor[each.tensor].append(each)
        self._tensors = {f"{each.path}#{each.call}": each.tensor for each in self._named}
        self._here = threading.local()

    def parts(self) -> dict[str, Part]:
        """Every layer by name."""
        return {each.path: each.part for each in self._named}

    def learned(self) -> Iterator[Learned]:
        """Weights of the operators' modules, and constant matrices that are multiplied with."""
        for step in self.graph.steps:
            layer = step.scopes[-1] if step.scopes else step.outputs[0]
            for name, tensor in self.graph.nodes[step.index].named_parameters():
                yield Learned(layer, step.label, name, tensor)
            for place, name in enumerate(step.inputs if step.label == "MatMul" else ()):
                constant = self.graph.constant(name)
                if constant is not None and constant.ndim == 2 and constant.is_floating_point():
                    yield Learned(layer, step.label, name, constant, inputs_first=place == 1)

    def tensor_of(self, layer: str) -> str:
        """The tensor that a layer puts out."""
        return self._tensors[layer if layer in self._tensors else f"{layer}#1"]

    def run(
        self,
        inputs: Mapping[str, torch.Tensor],
        taps: Mapping[str, Tap] | Listener,
        mode: Mode | None = None,
        *,
        located: bool = False,
    ) -> torch.Tensor:
        """The explained output, [points, columns]."""
        with mode(self.where) if mode else nullcontext():
            return self.computed(inputs, {}, taps)

    def overridden(
        self, inputs: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], taps: Mapping[str, Tap]
    ) -> torch.Tensor:
        """Like `run`, with some layers' tensors given; what only they need is not computed."""
        return self.computed(inputs, {self.tensor_of(layer): tensor for layer, tensor in given.items()}, taps)

    def computed(
        self, inputs: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], taps: Mapping[str, Tap] | Listener
    ) -> torch.Tensor:
        """The explained output, with the tensors given that are known."""
        watch = _Watch(self, taps)
        answer: torch.Tensor = self.graph.run(inputs, (self.output,), given, watch)[self.output]
        return answer.reshape(len(answer), -1)

    def where(self) -> str:
        """The innermost layer that is computed at the moment."""
        step: Step | None = getattr(self._here, "step", None)
        if step is None:
            return ""
        return step.scopes[-1] if step.scopes else step.outputs[0]

    def enter(self, step: Step) -> None:
        """Note which step is computed next, for this thread."""
        self._here.step = step

    def seen(self, name: str, tensor: Any, taps: Mapping[str, Tap] | Listener) -> Any:
        """Show a tensor to the taps of every layer that puts it out."""
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            return tensor
        for each in self._of_tensor.get(name, ()):
            label = f"{each.path}#{each.call}"
            if callable(taps):
                tensor = taps(label, tensor)
            elif tap := taps.get(label) or (taps.get(each.path) if each.call == 1 else None):
                tensor = tap(tensor)
        return tensor


class _Watch:
    def __init__(self, net: Layered, taps: Mapping[str, Tap] | Listener) -> None:
        self._net = net
        self._taps = taps

    def entering(self, step: Step) -> None:
        self._net.enter(step)

    def made(self, name: str, value: Any) -> Any:
        return self._net.seen(name, value, self._taps)
