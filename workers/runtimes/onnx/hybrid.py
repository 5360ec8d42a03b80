"""The cheap way to a layer's gradient: ONNX Runtime up to the layer's tensor, torch from there on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from workers.inside.net import Learned, Listener, Mode, Part, Tap
from workers.runtimes.onnx.expand import pruned
from workers.runtimes.onnx.inside import Layered

Session = Callable[[Mapping[str, Any]], list[Any]]
"""Runs a graph on named arrays: its outputs in order."""


class Hybrid:
    """A `Net` for looks at one layer and its gradient: the part before it is never computed by torch.

    Besides the layer's own tensor, ONNX Runtime gives what the rest reads beside it (a residual path around the layer).
    """

    def __init__(self, net: Layered, layer: str, model: Any, opened: Callable[[bytes], Session]) -> None:
        self._net = net
        self._tensor = net.tensor_of(layer)
        beside = net.graph.beside(self._tensor, (net.output,))
        self._inputs = tuple(name for name in beside if name in net.graph.inputs)
        self._given = (self._tensor, *(name for name in beside if name not in net.graph.inputs))
        self._session = opened(_head(model, self._given))

    def parts(self) -> Mapping[str, Part]:
        """Every layer by name."""
        return self._net.parts()

    def learned(self) -> Iterable[Learned]:
        """As the graph itself has it."""
        return self._net.learned()

    def run(
        self,
        inputs: Mapping[str, torch.Tensor],
        taps: Mapping[str, Tap] | Listener,
        mode: Mode | None = None,
        *,
        located: bool = False,
    ) -> torch.Tensor:
        """The explained output, [points, columns]."""
        arrays = self._session({name: tensor.contiguous().numpy() for name, tensor in inputs.items()})
        given = {name: torch.from_numpy(array) for name, array in zip(self._given, arrays, strict=True)}
        given[self._tensor] = self._net.seen(self._tensor, given[self._tensor], taps)
        return self._net.computed({name: inputs[name] for name in self._inputs}, given, taps)

    def overridden(
        self, inputs: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], taps: Mapping[str, Tap]
    ) -> torch.Tensor:
        """As the graph itself does it."""
        return self._net.overridden(inputs, given, taps)


def _head(model: Any, outputs: tuple[str, ...]) -> bytes:
    """The file's graph up to these tensors. Raises KeyError for a tensor that is not in the file itself."""
    made = {name for node in model.graph.node for name in node.output}
    if missing := [name for name in outputs if name not in made]:
        raise KeyError(missing[0])
    head, large = pruned(model, outputs)
    head.graph.initializer.extend(large)
    read = {name for node in head.graph.node for name in node.input}
    kept = [value for value in head.graph.input if value.name in read]
    del head.graph.input[:]
    head.graph.input.extend(kept)
    return bytes(head.SerializeToString())
