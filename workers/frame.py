"""The engine's own question: the outputs at the instance and at its baselines."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workers.questions import Floats

if TYPE_CHECKING:
    from workers.points import Row


@dataclass(frozen=True)
class FrameAnswer:
    """`instance`, `baseline`: float64 [columns]; the baseline's is the mean over a background set. None where not asked."""

    instance: Floats | None
    baseline: Floats | None


@dataclass(frozen=True)
class Frame:
    """Asks for the outputs at the instance, at its baselines, or both."""

    instance: bool = True
    baseline: bool = True

    def evaluations(self, row: Row) -> int:
        """Model calls this costs."""
        return self.instance + (row.backgrounds if self.baseline else 0)

    def answer(self, outputs: Floats, shares: Floats | None = None) -> FrameAnswer:
        """The answer, from outputs [evaluations, columns]. `shares`: what each baseline weighs."""
        around = np.average(outputs[self.instance :], axis=0, weights=shares) if self.baseline else None
        return FrameAnswer(outputs[0] if self.instance else None, around)


MOST_KNOWN = 256


class KnownBaselines:
    """A model's mean outputs at the baselines it met last. Jobs of one model mostly share theirs."""

    def __init__(self) -> None:
        self._outputs: OrderedDict[bytes, Floats] = OrderedDict()

    def find(self, key: bytes) -> Floats | None:
        """The outputs [columns] at these baselines, where they are known."""
        return self._outputs.get(key)

    def note(self, key: bytes, outputs: Floats) -> None:
        """Remember outputs; the oldest are forgotten."""
        self._outputs[key] = outputs
        while len(self._outputs) > MOST_KNOWN:
            self._outputs.popitem(last=False)


def baseline_key(backgrounds: Mapping[str, NDArray[Any]]) -> bytes:
    """What tells baselines apart: names, shapes, types and numbers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in sorted(backgrounds.items()):
        digest.update(f"{name} {array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.digest()
