"""The tensor that a module puts out, among whatever it returns, and the same return value with another in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence


def tensor_of(output: Any) -> torch.Tensor | None:
    """The first tensor of floats: an LSTM's sequence, a model output's first field. None where there is none, or it is packed.

    A packed sequence holds the rows of all steps mixed: none of its rows is one row's.
    """
    if isinstance(output, torch.Tensor):
        return output if output.is_floating_point() else None
    if isinstance(output, PackedSequence):
        return None
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    for part in parts:
        found = tensor_of(part)
        if found is not None:
            return found
    return None


def with_tensor(output: Any, tensor: torch.Tensor) -> Any:
    """The same return value with `tensor` where `tensor_of` finds one."""
    if isinstance(output, torch.Tensor):
        return tensor
    if isinstance(output, Mapping):
        place = next(key for key, part in output.items() if tensor_of(part) is not None)
        changed = type(output)(output)  # type: ignore[call-arg]  # a dict, or an ordered one with fields
        changed[place] = with_tensor(output[place], tensor)  # type: ignore[index]
        return changed
    number = next(number for number, part in enumerate(output) if tensor_of(part) is not None)
    parts = [with_tensor(part, tensor) if at == number else part for at, part in enumerate(output)]
    return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
