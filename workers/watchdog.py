"""When a call of a model has gone on too long, and what becomes of the jobs in hand. Pure: the time is an argument.

A call that hangs cannot be ended from within: the process is. What it held goes back at once, so that neighbours go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workers.hands import Call, Held

PATIENCE_S = 10.0
"""How long a call may go on when none of its jobs is ours any more (canceled, expired): most end by themselves."""


@dataclass(frozen=True)
class Ending:
    """The process is to be ended: `failed` exceeded its limit, `suspects` shared the call that hangs, the rest is innocent."""

    reason: str
    failed: str | None = None
    suspects: tuple[str, ...] = ()


def wanted(call: Call, held: Mapping[str, Held], disowned: frozenset[str]) -> list[str]:
    """The jobs of a call that are still ours."""
    return [job_id for job_id in call.jobs if job_id in held and job_id not in disowned]


def judge(call: Call | None, held: Mapping[str, Held], disowned: frozenset[str], now_s: float, limit_s: float) -> Ending | None:
    """Say whether the call has gone on too long, and whose fault it is.

    A job alone in a call past its limit is failed. Several cannot be told apart: each is worked on alone from then on, and the
    one that hangs again is alone.
    """
    if call is None or not call.jobs:
        return None
    ours = wanted(call, held, disowned)
    if not ours:
        return Ending("nobody waits for this call any more") if now_s - call.since_s > PATIENCE_S else None
    # The engine looks at limits between chunks; half a second more tells a slow chunk's end from a call that hangs.
    late = [job_id for job_id in ours if now_s - held[job_id].since_s > limit_s + 0.5]
    if not late:
        return None
    if len(call.jobs) == 1:
        return Ending("the call went on past the job's limit", failed=late[0])
    return Ending("the call went on past a job's limit", suspects=tuple(ours))
