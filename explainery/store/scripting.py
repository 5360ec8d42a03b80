"""Loads the atomic steps: a script's first line, the constants it may use, the shared prelude, its body."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import CancelAfterPassed, DeadlineExceeded, ExplaineryError, ModelQuarantined, WorkerLost
from explainery.contract.job import TRANSITIONS, JobError
from explainery.settings import Settings
from explainery.store.keys import PREFIX
from explainery.store.payloads import POINTER

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script

DAY_MS = 86_400_000
BELLS = 4
"""Most bells for anybody that may be out at once: enough to wake several idle workers, too few to pile up."""

REAL_CLOCK = "redis.call('TIME')"
SET_CLOCK = "redis.call('HMGET', KEYS[1] .. 'clock', 'seconds', 'microseconds')"
"""A clock that a simulation or a test sets."""

LOST = WorkerLost(
    "Every worker that took this job was lost while working on it; it may need more memory than the workers have. "
    "Ask again with fewer rows or a smaller budget, or have an operator release it: explainery jobs quarantined."
)
BANNED = ModelQuarantined(
    "Workers kept dying of this model, so it is in quarantine. Ask with another version, or have an operator look at it: "
    "explainery models quarantined."
)
LATE = DeadlineExceeded("The deadline passed before the job was done; ask again with a longer deadline_s or less work.")


CANCEL = CancelAfterPassed(
    "The time that Cancel-After gave is over, so the job was canceled; ask again with more time or less work."
)


class Step:
    """One atomic step: called with its ARGV, gives what the script gives. Loads itself again after a restart of Redis."""

    def __init__(self, redis: Redis, settings: Settings, name: str, clock: str = REAL_CLOCK) -> None:
        self._script: Script = redis.register_script(source(name, settings, clock))

    def __call__(self, *args: str | bytes | int) -> Any:
        """Run the step; the script's header says what it takes and gives."""
        return self._script(keys=[PREFIX], args=args)


def source(name: str, settings: Settings, clock: str = REAL_CLOCK) -> str:
    """The full text of a step. Flags count only on the very first line, so that one is moved to the front."""
    shebang, body = _read(name).split("\n", 1)
    return "\n".join((shebang, f"local clock = {clock}", _constants(settings), _read("prelude"), body))


def _read(name: str) -> str:
    return (files("explainery.store") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")


def _constants(settings: Settings) -> str:
    result_ttl = settings.result_ttl_s * 1000
    record_ttl = result_ttl + min(DAY_MS, 5 * result_ttl)  # the reaper is sooner, when there is one
    numbers = {
        "LEASE": round(settings.lease_s * 1000),
        "RESULT_TTL": result_ttl,
        "RECORD_TTL": record_ttl,
        "TOMBSTONE_TTL": max(settings.tombstone_ttl_s * 1000, record_ttl),
        "OFFER_TTL": DAY_MS,
        "BATCH_AGE": round(settings.batch_age_s * 1000),
        "MAX_AGE": round(settings.max_age_s * 1000),
        "EVENTS_TTL": settings.events_ttl_s * 1000,
        "EVENTS": settings.events_kept,
        "IDEMPOTENCY_TTL": settings.idempotency_ttl_s * 1000,
        "AFFINITY": round(settings.affinity_s * 1e6),
        "MAX_ATTEMPTS": settings.max_attempts,
        "MAX_RETRIES": settings.max_retries,
        "MODEL_DEATHS": settings.model_deaths,
        "MAX_WAITING": settings.max_waiting,
        "MAX_BYTES": settings.max_waiting_bytes,
        "TENANT_RUNNING": settings.tenant_running,
        "BELLS": BELLS,
    }
    texts = {
        "DEADLINE_ERROR": _json(LATE),
        "CANCEL_ERROR": _json(CANCEL),
        "LOST_ERROR": _json(LOST),
        "BANNED_ERROR": _json(BANNED),
    }
    lines = [f"local {name} = {value}" for name, value in numbers.items()]
    lines.append(f"local KEEP_INPUTS = {'true' if settings.keep_inputs else 'false'}")
    lines += [f"local {name} = [==[{text}]==]" for name, text in {**texts, "POINTER": POINTER.decode()}.items()]
    return "\n".join((*lines, _weights(settings), _allowed()))


def _weights(settings: Settings) -> str:
    pairs = (f'["{tenant}"] = {weight!r}' for tenant, weight in settings.weights.items())
    return f"local WEIGHTS = {{{', '.join(pairs)}}}"


def _json(error: ExplaineryError) -> str:
    return JobError(code=error.code, detail=error.detail, retryable=error.retryable).model_dump_json()


def _allowed() -> str:
    rows = (f"{state} = {{{', '.join(f'{to} = true' for to in sorted(onto))}}}" for state, onto in TRANSITIONS.items())
    return f"local ALLOWED = {{{', '.join(rows)}}}"
