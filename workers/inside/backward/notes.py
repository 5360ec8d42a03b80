"""Notes on tensors, told apart by identity, that go when the tensors go."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import torch
from torch.utils.weak import WeakTensorKeyDictionary

T = TypeVar("T")


class Notes(Generic[T]):
    """Tensor -> what is noted of it."""

    def __init__(self) -> None:
        self._notes: Any = WeakTensorKeyDictionary()

    def __len__(self) -> int:
        return len(self._notes)

    def __contains__(self, tensor: torch.Tensor) -> bool:
        return tensor in self._notes

    def __setitem__(self, tensor: torch.Tensor, note: T) -> None:
        self._notes[tensor] = note

    def get(self, tensor: torch.Tensor) -> T | None:
        """The note, or None."""
        found: T | None = self._notes.get(tensor)
        return found

    def forget(self, tensor: torch.Tensor) -> None:
        """Take a note away, where there is one."""
        self._notes.pop(tensor, None)
