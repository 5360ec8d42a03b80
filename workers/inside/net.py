"""What can be looked into: a computation by torch whose layers have names and can be tapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch

Tap = Callable[[torch.Tensor], torch.Tensor]
"""Is given what a layer puts out, and returns what the computation goes on with."""
Listener = Callable[[str, torch.Tensor], torch.Tensor]
"""A tap of every layer: is told the layer's name."""
Mode = Callable[[Callable[[], str]], AbstractContextManager[Any]]
"""Makes what is on while the computation runs; is given a function that says which module computes at the moment."""


@dataclass(frozen=True)
class Part:
    """What is known of a layer before anything was computed. `parameters`: numbers it has learned, of all inside it."""

    type: str
    parameters: int


@dataclass(frozen=True, eq=False)
class Learned:
    """An array of a layer's own. `inputs_first`: whether its first axis numbers what a unit reads, and the second the units."""

    layer: str
    type: str
    name: str
    tensor: torch.Tensor
    inputs_first: bool = False


class Net(Protocol):
    """A computation by torch: a module, or a translated graph."""

    def learned(self) -> Iterable[Learned]:
        """Every array that a layer has learned, with the layer's name."""
        ...

    def parts(self) -> Mapping[str, Part]:
        """Every layer by name, without the number of a call."""
        ...

    def run(
        self,
        inputs: Mapping[str, torch.Tensor],
        taps: Mapping[str, Tap] | Listener,
        mode: Mode | None = None,
        *,
        located: bool = False,
    ) -> torch.Tensor:
        """The explained output, [points, columns]. `located`: the mode needs to know where it is. Raises MemoryError."""
        ...

    def overridden(self, inputs: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], taps: Mapping[str, Tap]) -> Any:
        """Like `run`, with the outputs of some layers given; what only they need is not computed where that can be helped."""
        ...
