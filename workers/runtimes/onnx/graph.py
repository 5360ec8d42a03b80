"""A translated graph: modules in the file's order, run on named tensors. Any inner tensor can be captured or overridden."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from workers.runtimes.onnx.limits import TooLarge

Tensors = dict[str, Any]
"""Tensor name -> tensor (None for an input that is left out)."""


@dataclass(frozen=True)
class Step:
    """One node: its module's index, and the names that go in and come out ("" = left out)."""

    index: int
    label: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    """The source's modules that the node belongs to, outermost first, where the exporter wrote them down."""


class Watch(Protocol):
    """Follows a run."""

    def entering(self, step: Step) -> None:
        """A step is computed next."""
        ...

    def made(self, name: str, value: Any) -> Any:
        """A tensor was computed: gives what the graph goes on with."""
        ...


@dataclass(frozen=True)
class Plan:
    """The steps that some outputs need, and after each the names that nothing needs any more."""

    steps: tuple[Step, ...]
    forget: tuple[tuple[str, ...], ...]


class Graph(nn.Module):
    """Modules and constants of one graph. `free`: names of an outer graph that it reads."""

    def __init__(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        nodes: Sequence[tuple[Step, nn.Module]],
        constants: Mapping[str, torch.Tensor],
    ) -> None:
        super().__init__()
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.steps = tuple(step for step, _ in nodes)
        self.nodes = nn.ModuleList([module for _, module in nodes])
        self._constants = {name: f"constant_{number}" for number, name in enumerate(constants)}
        for name, tensor in constants.items():
            self.register_buffer(self._constants[name], tensor)
        self._makers = {name: step for step in self.steps for name in step.outputs if name}
        self._plans: dict[tuple[tuple[str, ...], frozenset[str]], Plan] = {}
        read = [name for step in self.steps for name in step.inputs] + list(outputs)
        own = set(inputs) | set(self._makers) | set(constants)
        self.free = tuple(dict.fromkeys(name for name in read if name and name not in own))

    def constant(self, name: str) -> torch.Tensor | None:
        """A tensor that the graph holds, by name; None for any other."""
        return getattr(self, self._constants[name]) if name in self._constants else None

    def forward(self, *values: Any) -> tuple[Any, ...]:
        """The outputs, for the inputs followed by the `free` values (as a subgraph is called)."""
        known = dict(zip((*self.inputs, *self.free), values, strict=True))
        found = self.run(known, self.outputs)
        return tuple(found[name] for name in self.outputs)

    def run(
        self,
        known: Mapping[str, Any],
        wanted: Iterable[str],
        overrides: Mapping[str, Any] | None = None,
        watch: Watch | None = None,
    ) -> Tensors:
        """The wanted tensors by name. Only what they need is computed; overridden tensors are taken as given.

        `watch` is told of each step before it is computed, and may put another tensor in an output's place.
        """
        wanted, overrides = tuple(wanted), overrides or {}
        plan = self.plan(wanted, frozenset(overrides))
        held: Tensors = {name: getattr(self, attribute) for name, attribute in self._constants.items()}
        held.update(known)
        held.update(overrides)
        found: Tensors = {}
        for step, forgotten in zip(plan.steps, plan.forget, strict=True):
            if watch is not None:
                watch.entering(step)
            answer = _called(self.nodes[step.index], step, [held[name] if name else None for name in step.inputs])
            for name, value in zip(step.outputs, answer, strict=False):
                if name and name not in overrides:
                    held[name] = value if watch is None else watch.made(name, value)
            for name in forgotten:
                if name in wanted:
                    found[name] = held[name]
                del held[name]
        return {name: found[name] if name in found else held[name] for name in wanted}

    def plan(self, wanted: tuple[str, ...], given: frozenset[str]) -> Plan:
        """Which steps the wanted tensors need when the given ones are known. Raises KeyError for an unknown tensor."""
        if (wanted, given) not in self._plans:
            self._plans[wanted, given] = self._planned(wanted, given)
        return self._plans[wanted, given]

    def beside(self, name: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """What the steps after a tensor read that does not come from it: with it, all that they need. Graph inputs included."""
        after: set[str] = {name}
        read: dict[str, None] = {}
        for step in self.plan(wanted, frozenset((name,))).steps:
            if after.intersection(step.inputs):
                after.update(output for output in step.outputs if output)
        for step in self.plan(wanted, frozenset((name,))).steps:
            if after.intersection(step.outputs):
                read.update(dict.fromkeys(each for each in step.inputs if each and each not in after))
        return tuple(each for each in read if each not in self._constants)

    def _planned(self, wanted: tuple[str, ...], given: frozenset[str]) -> Plan:
        known = {*self.inputs, *self.free, *self._constants}
        for name in (*wanted, *given):
            if name not in known and name not in self._makers:
                raise KeyError(name)
        needed: set[int] = set()
        pending = [name for name in wanted if name not in given]
        while pending:
            step = self._makers.get(pending.pop())
            if step is not None and step.index not in needed:
                needed.add(step.index)
                pending += [name for name in step.inputs if name and name not in given]
        steps = [step for step in self.steps if step.index in needed]
        last = {name: position for position, step in enumerate(steps) for name in (*step.inputs, *step.outputs) if name}
        forget: list[list[str]] = [[] for _ in steps]
        for name, position in last.items():
            if name in self._makers and name not in given:
                forget[position].append(name)
        return Plan(tuple(steps), tuple(tuple(names) for names in forget))


def _called(module: nn.Module, step: Step, inputs: list[Any]) -> Sequence[Any]:
    try:
        answer = module(*inputs)
    except (MemoryError, TooLarge, torch.OutOfMemoryError):
        raise
    except Exception as error:
        error.add_note(f"in {step.label} {step.name}")
        raise
    return answer if isinstance(answer, tuple) else (answer,)
