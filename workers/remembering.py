"""The memories of a job's rows: made when a row begins, packed when the job has ended, for a later job that refines this one.

Packed are a row's tape lengths and numbers, and beside them as JSON what made them; see `explainery.contract.tensors` for the
form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery import __version__
from explainery.contract.errors import ComputeError
from explainery.contract.job import JobSpec
from explainery.contract.sampling import SAMPLES, allowed_samples, samples_param
from explainery.contract.tensors import pack
from workers.memory import Memory, Tape
from workers.plugins import AnyMethod, MethodPlugin

PREFIX = "known/"


@dataclass(eq=False)
class Memories:
    """Of one job. `tapes`: what an earlier job knew, a tape per row. `width`: baselines that stand for what is absent.

    `around`: baselines of each row in all.
    """

    job: JobSpec
    method: MethodPlugin
    width: int
    tapes: tuple[Tape, ...] = ()
    around: int = 1
    of_rows: dict[int, Memory] = field(default_factory=dict)

    def begin(self, number: int) -> Memory:
        """The memory of a row that begins. Raises ComputeError when the budget does not pay for the least."""
        before = self.tapes[number] if self.tapes else None
        params, limit = self._params(before)
        pieces = self.job.deadline_s is not None
        memory = self.of_rows[number] = Memory(self.method, params, before, pieces, limit)
        if before is not None and self.job.budget is not None:
            memory.left = self.job.budget // self.job.rows // (1 if self.method.SPEC.one_baseline else self.width)
        return memory

    def _params(self, before: Tape | None) -> tuple[dict[str, Any], str | None]:
        job, param = self.job, samples_param(self.method.SPEC)
        if job.budget is None or param is None:
            return job.params, None
        known = 0 if before is None else before.evaluations
        allowed = allowed_samples(self.method.SPEC, job.params, job.budget, job.rows, self.width, known, self.around)
        if allowed < (param.minimum or 1):
            raise ComputeError(
                f"A budget of {job.budget} evaluations is too small for {job.rows} rows of {job.method}; raise it, or ask with "
                "fewer rows or baselines."
            )
        if allowed >= job.params[SAMPLES]:
            return job.params, None
        limit = f"The budget of {job.budget} evaluations left {allowed} of {job.params[SAMPLES]} samples to each row."
        return job.params | {SAMPLES: allowed}, limit

    def packed(self, limit_bytes: int) -> bytes | None:
        """Every row's tape; None when they are larger than the limit together."""
        tapes, size = [], 0
        for number in range(self.job.rows):
            tapes.append(self.of_rows[number].tape)
            size += tapes[-1].numbers.nbytes
            if size > limit_bytes:
                return None
        about = {
            "code": __version__,
            "params": self.job.params,
            "samples": [tape.params[SAMPLES] for tape in tapes],
            "shapes": [tape.shapes for tape in tapes],
            "evaluations": [tape.evaluations for tape in tapes],
        }
        return pack(
            {
                f"{PREFIX}numbers": np.concatenate([tape.numbers for tape in tapes]),
                f"{PREFIX}lengths": np.array([len(tape.numbers) for tape in tapes]),
                f"{PREFIX}about": np.frombuffer(json.dumps(about).encode(), np.uint8),
            }
        )


def memories_of(
    job: JobSpec, method: AnyMethod, width: int, around: int, arrays: Mapping[str, NDArray[Any]]
) -> Memories | None:
    """The memories of a job's rows; None where the method does not sample. `arrays`: what travels with the job.

    Raises ComputeError where another version of this code wrote what the job is to go on from.
    """
    if samples_param(method.SPEC) is None:
        return None
    tapes = _tapes(arrays) if f"{PREFIX}about" in arrays else ()
    return Memories(job, cast(MethodPlugin, method), max(width, 1), tapes, around)


def _tapes(arrays: Mapping[str, NDArray[Any]]) -> tuple[Tape, ...]:
    about = json.loads(arrays[f"{PREFIX}about"].tobytes())
    if about["code"] != __version__:
        raise ComputeError("Another version of Explainery worked on the job that this one refines; ask anew, with all samples.")
    ends = np.cumsum(arrays[f"{PREFIX}lengths"])[:-1]
    parts = np.split(arrays[f"{PREFIX}numbers"], ends)
    rows = zip(about["samples"], about["shapes"], parts, about["evaluations"], strict=True)
    return tuple(
        Tape(about["params"] | {SAMPLES: samples}, {name: tuple(shape) for name, shape in shapes.items()}, numbers, count)
        for samples, shapes, numbers, count in rows
    )
