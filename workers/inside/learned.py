"""What layers have learned: figures of each array, and which arrays a computation reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workers.inside.backward.calls import tensors_in
from workers.inside.net import Learned
from workers.whole import WeightFigures

MATRICES = (
    "Linear", "NonDynamicallyQuantizableLinear", "Conv", "FusedConv", "Gemm", "MatMul", "LSTM", "GRU", "RNN",
    "MultiheadAttention",
)  # fmt: skip
"""Types whose weights connect units to units, so that fans can be counted."""
PARTS = {"LSTM": 4, "GRU": 3, "MultiheadAttention": 3}
"""Layers that keep so many matrices on each other in one array."""


class Reading(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own hook has no types
    """While it is on, notes which storages are read."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nor has this
        self.storages: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note the tensors of one call, and make it."""
        self.storages.update(storage_of(tensor) for tensor in tensors_in((tuple(args), kwargs or {})))
        return func(*args, **(kwargs or {}))


def storage_of(tensor: torch.Tensor) -> int:
    """What tells a tensor's memory from any other's; its views have the same."""
    return int(tensor.untyped_storage().data_ptr())


def weighed(learned: Learned, *, used: bool) -> WeightFigures:
    """One array in figures, in double precision."""
    values = learned.tensor.detach().double()
    finite = bool(torch.isfinite(values).all())
    known = values[torch.isfinite(values)]
    count = max(known.numel(), 1)
    mean = float(known.sum()) / count
    moved = known - mean
    variance = float(moved.square().sum()) / count
    fans = fans_of(learned)
    return WeightFigures(
        layer=learned.layer,
        type=learned.type,
        name=learned.name,
        shape=tuple(values.shape),
        mean=mean,
        std=math.sqrt(variance),
        low=float(known.min()) if known.numel() else math.nan,
        high=float(known.max()) if known.numel() else math.nan,
        zeros=float((known == 0).sum()) / count,
        kurtosis=float(moved.pow(4).sum()) / count / variance**2 if variance > 0 else math.nan,
        finite=finite,
        used=used,
        fan_in=fans[0] if fans else None,
        fan_out=fans[1] if fans else None,
    )


def fans_of(learned: Learned) -> tuple[int, int] | None:
    """Inputs that a unit reads, and units that read an input; None for what is no matrix or kernel."""
    shape = learned.tensor.shape
    if len(shape) < 2 or not learned.type.startswith(MATRICES) or not ("weight" in learned.name or learned.type == "MatMul"):
        return None
    field = math.prod(shape[2:])
    first, second = int(shape[0]) * field, int(shape[1]) * field
    if learned.inputs_first or learned.type.startswith("ConvTranspose"):
        return first, second
    return second, first // (PARTS.get(learned.type, 1) if first % PARTS.get(learned.type, 1) == 0 else 1)
