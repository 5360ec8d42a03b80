"""Safetensors files by their headers alone: what is in them, and several as one (safetensors, README, "Format")."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from explainery.contract.errors import ModelRefused

MOST_HEADER_BYTES = 100_000_000
"""As the reference implementation allows."""


def header(content: bytes) -> tuple[dict[str, Any], int]:
    """Tensor name -> {"dtype", "shape", "data_offsets"}, and where the data begins. Raises ModelRefused."""
    size = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= size <= min(MOST_HEADER_BYTES, len(content) - 8):
        raise ModelRefused("The file is no safetensors file: its header has no sensible length.")
    try:
        found = json.loads(content[8 : 8 + size])
        tensors = {name: entry for name, entry in found.items() if name != "__metadata__"}
        ends = [entry["data_offsets"] for entry in tensors.values()]
        plain = all(type(size) is int for entry in tensors.values() for size in entry["shape"])
        whole = plain and all(0 <= begin <= end <= len(content) - 8 - size for begin, end in ends)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        raise ModelRefused("The file is no safetensors file: its header cannot be read.") from None
    if not whole:
        raise ModelRefused("The safetensors file is cut off: its header names data that is not there.")
    return tensors, 8 + size


def joined(shards: Sequence[bytes]) -> bytes:
    """Several files as one. Raises ModelRefused when a tensor is in two of them."""
    if len(shards) == 1:
        header(shards[0])
        return shards[0]
    tensors: dict[str, Any] = {}
    parts: list[memoryview] = []
    at = 0
    for shard in shards:
        found, begin = header(shard)
        if twice := sorted(set(found) & set(tensors)):
            raise ModelRefused(f"Two of the safetensors files have a tensor {twice[0]}; put in one of them only.")
        tensors.update({name: _moved(entry, at) for name, entry in found.items()})
        parts.append(memoryview(shard)[begin:])
        at += len(shard) - begin
    text = json.dumps(tensors).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((struct.pack("<Q", len(text)), text, *parts))


def _moved(entry: Mapping[str, Any], by: int) -> dict[str, Any]:
    begin, end = entry["data_offsets"]
    return {**entry, "data_offsets": [begin + by, end + by]}


def summary(content: bytes) -> str:
    """How many tensors and numbers there are, in words."""
    tensors, _ = header(content)
    numbers = 0
    for entry in tensors.values():
        product = 1
        for size in entry["shape"]:
            product *= size
        numbers += product
    return f"{len(tensors)} tensors, {numbers} numbers"
