"""Asks a computation what a `Probe` says: one pass, its inner tensors, and the gradients that were wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from explainery.contract.errors import InvalidTarget, OperationWithoutRule
from workers.device import memory_or, slopes
from workers.inside.attention import Attention
from workers.inside.backward import Backward
from workers.inside.layers import Layer, Rows
from workers.inside.net import Net, Tap
from workers.inside.rules import backward_of
from workers.inside.summary import summarised
from workers.plugins import Shown
from workers.questions import Probe

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Asked:
    """One question to a computation: its probe, the rows' target columns (-1: the largest output), and what goes with them.

    `start`: the points of the layer that the probe starts at, rows in front. `references`: the rows that rules pair with the
    inputs.
    """

    probe: Probe
    columns: torch.Tensor
    start: torch.Tensor | None = None
    references: Tensors | None = None


def probed(net: Net, layers: Mapping[str, Layer], inputs: Tensors, asked: Asked) -> Shown:
    """Run the computation once and show what is asked.

    Raises MemoryError, InvalidTarget, and what the rules refuse.
    """
    try:
        return _Probing(net, layers, asked).on(inputs)
    except RuntimeError as error:
        raise memory_or(error) from error


class _Probing:
    """One question at work: what its taps have caught."""

    def __init__(self, net: Net, layers: Mapping[str, Layer], asked: Asked) -> None:
        self._net = net
        self._layers = layers
        self._asked = asked
        self._probe = asked.probe
        self._caught: dict[str, torch.Tensor] = {}
        self._backward: Backward | None = None

    def on(self, inputs: Tensors) -> Shown:
        probe, columns = self._probe, self._asked.columns
        points = len(columns)
        with torch.enable_grad() if self._differentiates else torch.no_grad():
            leaves = {name: self._leaf(tensor, name) for name, tensor in inputs.items()}
            outputs = self._run({name: leaf.clone() for name, leaf in leaves.items()})
            first = outputs[:points]
            chosen = self._chosen(first)
            scores = first.gather(1, chosen[:, None])[:, 0] if probe.unit is None else self._unit(points)
            shown = Shown(first.detach(), scores.detach(), chosen)
            if len(outputs) > points:
                shown.references = outputs[points:].detach()
            self._differentiate(shown, scores, leaves, points)
        if (probe.activations or probe.steps) and not probe.statistics:
            shown.activations = {name: self._first(name, self._caught[name]).detach()[:points] for name in probe.layers}
        return shown

    @property
    def _differentiates(self) -> bool:
        return self._probe.gradients or self._probe.inputs or self._probe.steps

    def _leaf(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        if self._asked.references is not None:
            tensor = torch.cat([tensor, self._asked.references[name]])
        leaf = tensor.detach()
        return leaf.requires_grad_() if self._probe.inputs and leaf.is_floating_point() else leaf

    def _run(self, inputs: Tensors) -> torch.Tensor:
        probe = self._probe
        names = probe.layers if probe.unit is None else (*probe.layers, probe.unit.layer)
        taps: dict[str, Tap] = {} if probe.of == "attention" else {name: partial(self._catch, name) for name in names}
        if probe.start is not None and self._asked.start is not None:
            given = self._layers[probe.start].rows.back(self._asked.start.detach()).requires_grad_(self._differentiates)
            self._caught[probe.start] = given
            answer: torch.Tensor = self._net.overridden(inputs, {probe.start: given.clone()}, taps)
            return answer
        if probe.of == "attention":
            return self._net.run(inputs, taps, lambda where: Attention(where, self._heard), located=True)
        if probe.rules is None:
            return self._net.run(inputs, taps)
        try:
            return self._net.run(inputs, taps, self._changed)
        except OperationWithoutRule:  # once more, to say where
            return self._net.run(inputs, taps, self._changed, located=True)

    def _changed(self, where: Any) -> Any:
        self._backward = backward_of(self._probe.rules, where)  # type: ignore[arg-type]  # the caller has looked
        return self._backward

    def _catch(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Keep a tensor, and let the computation go on with a copy, which it may write into."""
        if name in self._caught and self._probe.start == name:
            return tensor
        if self._differentiates and not tensor.requires_grad:
            tensor = tensor.detach().requires_grad_()
        self._caught[name] = tensor
        return tensor.clone()

    def _heard(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        path = name if name in self._probe.layers else name.rpartition("#")[0] if name.endswith("#1") else name
        return self._catch(path, tensor) if path in self._probe.layers else tensor

    def _chosen(self, outputs: torch.Tensor) -> torch.Tensor:
        columns = self._asked.columns
        if int(columns.max()) >= outputs.shape[1]:
            raise InvalidTarget(f"The target is out of range: the output has {outputs.shape[1]} columns here.")
        return torch.where(columns < 0, outputs.argmax(1), columns)

    def _unit(self, points: int) -> torch.Tensor:
        unit = self._probe.unit
        assert unit is not None  # noqa: S101  # the caller has looked
        tensor = self._first(unit.layer, self._caught[unit.layer])[:points]
        for index in unit.index:
            if index >= tensor.shape[1]:
                raise InvalidTarget(
                    f"The unit is out of range: layer {unit.layer} has {list(self._layers[unit.layer].spec.shape)}."
                )
            tensor = tensor[:, index]
        return tensor.reshape(len(tensor), -1).mean(1)

    def _first(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        layer = self._layers[name]
        place = layer.attention if self._probe.of == "attention" else layer.rows
        return (place or Rows(0, 1)).first(tensor)

    def _differentiate(self, shown: Shown, scores: torch.Tensor, leaves: Tensors, points: int) -> None:
        probe = self._probe
        if probe.statistics:
            self._summarise(shown, scores, points)
            return
        if not self._differentiates:
            return
        at_layers = probe.layers if probe.gradients or probe.steps else ()
        smooth = [name for name, leaf in leaves.items() if leaf.requires_grad]
        wanted = [*(self._caught[name] for name in at_layers), *(leaves[name] for name in smooth)]
        found = self._slopes(scores, wanted)
        for name, slope in zip(at_layers, found[: len(at_layers)], strict=True):
            shown.gradients[name] = self._first(name, slope)[:points]
        if probe.inputs:
            shown.inputs = {name: torch.zeros_like(leaf[:points]) for name, leaf in leaves.items()}
            shown.inputs |= {name: slope[:points] for name, slope in zip(smooth, found[len(at_layers) :], strict=True)}

    def _summarise(self, shown: Shown, scores: torch.Tensor, points: int) -> None:
        """Figures of every layer in place of its tensors, [points, figures]."""
        names, wanted = self._probe.layers, [self._caught[name] for name in self._probe.layers]
        slopes: Sequence[torch.Tensor | None] = [None] * len(wanted)
        if self._probe.gradients and scores.requires_grad:
            slopes = torch.autograd.grad(scores.sum(), wanted, allow_unused=True)
        parts = [
            summarised(
                self._layers[name].spec,
                self._first(name, tensor)[:points],
                None if slope is None else self._first(name, slope)[:points],
            )
            for name, tensor, slope in zip(names, wanted, slopes, strict=True)
        ]
        shown.statistics = torch.cat(parts, 1)

    def _slopes(self, scores: torch.Tensor, wanted: list[torch.Tensor]) -> list[torch.Tensor]:
        if not wanted:
            return []
        if not scores.requires_grad:
            return [torch.zeros_like(tensor) for tensor in wanted]
        relevance = self._backward is not None and self._backward.relevance
        seed = scores.detach() if relevance else torch.ones_like(scores)
        return slopes(scores, wanted, seed)
