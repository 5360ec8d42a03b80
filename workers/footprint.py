"""How much memory is in use, as the allocators count it: resident memory also holds what is free but not given back."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from workers.device import resident_bytes


@dataclass(frozen=True)
class Footprint:
    """Bytes in this process and bytes on its GPU."""

    host: int = 0
    device: int = 0

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(self.host + other.host, self.device + other.device)

    def __sub__(self, other: Footprint) -> Footprint:
        """What was added since `other`; never less than nothing."""
        return Footprint(max(0, self.host - other.host), max(0, self.device - other.device))

    def within(self, bound: Footprint) -> bool:
        """Whether both fit."""
        return self.host <= bound.host and self.device <= bound.device


def in_use(device: str) -> Footprint:
    """What is in use now: allocated by malloc, and on the GPU by anybody."""
    return Footprint(_malloced(), _on_gpu(device))


def installed(device: str) -> Footprint:
    """What there is: this process's share of the machine is not known here, its container's limit is."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_container_limits()]
    total = torch.cuda.get_device_properties(device).total_memory if device.startswith("cuda") else 0
    return Footprint(min(limits), total)


def give_back() -> None:
    """Give what is free back to the system, where the allocator can be told to."""
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


MALLINFO = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc 2.33: mallinfo(3)."""

    _fields_ = [(name, ctypes.c_size_t) for name in MALLINFO]


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)


def _malloced() -> int:
    """Bytes that are allocated, in heaps and in mappings of their own; resident memory where no allocator says."""
    ask = getattr(_libc(), "mallinfo2", None)
    if ask is None:
        return resident_bytes()
    ask.restype = _MallInfo
    said = ask()
    return int(said.uordblks + said.hblkhd)


def _on_gpu(device: str) -> int:
    if not device.startswith("cuda"):
        return 0
    free, total = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(total - free - cached)


def _container_limits() -> list[int]:
    """Memory limits of the control groups, version 2 and version 1."""
    places = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    texts = [Path(place).read_text(encoding="ascii").strip() for place in places if Path(place).exists()]
    return [int(text) for text in texts if text.isdigit()]
