"""Loads the atomic steps: a script's first line, the constants it may use, the shared prelude, its body."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import DeadlineExceeded, ExplaineryError, WorkerLost
from explainery.contract.job import TRANSITIONS, JobError
from explainery.settings import Settings
from explainery.store.keys import PREFIX

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script

DAY_MS = 86_400_000
BELLS = 4
"""Most bells of a group that may be out at once: enough to wake several idle workers, too few to pile up."""

LOST = WorkerLost(
    "Every worker that took this job was lost while working on it; it may need more memory than the workers have. "
    "Ask again with fewer rows or a smaller budget."
)
LATE = DeadlineExceeded("The deadline passed before the job was done; ask again with a longer deadline_s or less work.")


class Step:
    """One atomic step: called with its ARGV, gives what the script gives. Loads itself again after a restart of Redis."""

    def __init__(self, redis: Redis, settings: Settings, name: str) -> None:
        self._script: Script = redis.register_script(source(name, settings))

    def __call__(self, *args: str | bytes | int) -> Any:
        """Run the step; the script's header says what it takes and gives."""
        return self._script(keys=[PREFIX], args=args)


def source(name: str, settings: Settings) -> str:
    """The full text of a step. Flags count only on the very first line, so that one is moved to the front."""
    shebang, body = _read(name).split("\n", 1)
    return "\n".join((shebang, _constants(settings), _read("prelude"), body))


def _read(name: str) -> str:
    return (files("explainery.store") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")


def _constants(settings: Settings) -> str:
    result_ttl = settings.result_ttl_s * 1000
    record_ttl = result_ttl + DAY_MS
    numbers = {
        "LEASE": round(settings.lease_s * 1000),
        "RESULT_TTL": result_ttl,
        "RECORD_TTL": record_ttl,
        "TOMBSTONE_TTL": max(settings.tombstone_ttl_s * 1000, record_ttl),
        "OFFER_TTL": DAY_MS,
        "MAX_ATTEMPTS": settings.max_attempts,
        "BELLS": BELLS,
    }
    lines = [f"local {name} = {value}" for name, value in numbers.items()]
    lines += [f"local DEADLINE_ERROR = [==[{_json(LATE)}]==]", f"local LOST_ERROR = [==[{_json(LOST)}]==]", _allowed()]
    return "\n".join(lines)


def _json(error: ExplaineryError) -> str:
    return JobError(code=error.code, detail=error.detail, retryable=error.retryable).model_dump_json()


def _allowed() -> str:
    rows = (f"{state} = {{{', '.join(f'{to} = true' for to in sorted(onto))}}}" for state, onto in TRANSITIONS.items())
    return f"local ALLOWED = {{{', '.join(rows)}}}"
