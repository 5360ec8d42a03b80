"""Which device a worker computes on, and with how many threads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from explainery.contract.errors import SettingsInvalid
from explainery.settings import Settings


def device_of(settings: Settings) -> str:
    """`cpu` or `cuda:N`. `auto` takes the first GPU where there is one.

    Raises SettingsInvalid for a device that is not there.
    """
    asked = settings.device
    if asked == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    known = re.fullmatch(r"cpu|cuda(?::(\d+))?", asked)
    if known is None:
        raise SettingsInvalid(f"EXPLAINERY_DEVICE={asked} is no device; use auto, cpu, cuda or cuda:N.")
    if asked == "cpu":
        return asked
    number = int(known[1] or 0)
    if number >= torch.cuda.device_count():
        raise SettingsInvalid(
            f"EXPLAINERY_DEVICE={asked}: this machine has {torch.cuda.device_count()} CUDA devices; use auto or cpu."
        )
    return f"cuda:{number}"


def one_thread_for_numpy() -> None:
    """NumPy's and SciPy's linear algebra on one thread in this process, unless OPENBLAS_NUM_THREADS says otherwise.

    Estimators solve small systems while models compute on the cores: two threads that wait for each other there made a plan
    of 127 pairs take 30-150 ms instead of 2-5. PyTorch's own library is left as it is.
    """
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        ThreadpoolController().select(prefix="libscipy_openblas").limit(limits=1)


OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "bad allocation", "Failed to allocate memory")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out: PyTorch has a class for GPUs only, ONNX Runtime none; both have words."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


@contextmanager
def numerics(device: torch.device, *, cudnn: bool = True) -> Iterator[None]:
    """Full single precision on a GPU: TF32 keeps 10 bits of the mantissa, and explanations are small differences."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=cudnn, allow_tf32=False):
        yield


def memory_or(error: RuntimeError) -> Exception:
    """MemoryError where the error means that, else the error itself."""
    if ran_out_of_memory(error):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return MemoryError()
    return error


def threads_of(settings: Settings) -> int:
    """Compute threads of this process: as set, else its share of the cores."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // settings.workers)


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def slopes(scores: torch.Tensor, wanted: Sequence[torch.Tensor], seed: torch.Tensor | None = None) -> list[torch.Tensor]:
    """Gradients of the sum of the scores, zeros for tensors that they do not depend on. `seed`: weights of the scores.

    (`materialize_grads` does the same, and imports a computer algebra system when it is first used.)
    """
    found = torch.autograd.grad(scores, list(wanted), torch.ones_like(scores) if seed is None else seed, allow_unused=True)
    return [torch.zeros_like(tensor) if slope is None else slope for tensor, slope in zip(wanted, found, strict=True)]
