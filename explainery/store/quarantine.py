"""What an operator sees and does about jobs and models that workers die of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import JobNotFound
from explainery.contract.job import Job, JobSpec
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.ids import new_job_id
from explainery.store.jobs import Admission, JobStore
from explainery.store.keys import key
from explainery.store.record import read_job, timestamp
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis


@dataclass(frozen=True)
class BannedModel:
    """A model in quarantine. `group`: its name, version and digest; `deaths`: workers it took with no success between."""

    group: str
    since: str
    deaths: int
    last_exit: str


class Quarantine:
    """Jobs that workers died of, and models. Raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._jobs = JobStore(redis, settings)
        self._unban = Step(redis, settings, "unban")

    @store_errors()
    def jobs(self) -> list[Job]:
        """The jobs in quarantine, the newest first."""
        ids: Any = self._redis.zrevrange(key("quarantine"), 0, -1)
        with self._redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(key("job", job_id.decode()))
            return [read_job(record) for record in pipe.execute() if record]

    @store_errors()
    def release(self, job_id: str) -> tuple[str, str, Admission]:
        """Give a job another try, as a new job: what ended stays ended. Returns the new id, its group and whom to ring.

        Raises JobNotFound when the job is not in quarantine or its inputs are gone, and what `JobStore.admit` raises.
        """
        record: Any = self._redis.hgetall(key("job", job_id))
        inputs = self._jobs.inputs(job_id)
        if not record or b"quarantined" not in record or inputs is None:
            raise _absent()
        spec = JobSpec.model_validate_json(record[b"spec"]).model_copy(update={"id": new_job_id(), "content": None})
        admission = self._jobs.admit(spec, inputs, fresh=True)
        self._jobs.forget(job_id)
        return spec.id, spec.group, admission

    @store_errors()
    def drop(self, job_id: str) -> None:
        """Delete a job in quarantine with its inputs. Raises JobNotFound when it is not in quarantine."""
        if self._redis.zscore(key("quarantine"), job_id) is None:
            raise _absent()
        self._jobs.forget(job_id)

    @store_errors()
    def models(self) -> list[BannedModel]:
        """The models in quarantine."""
        banned: Any = self._redis.hgetall(key("banned"))
        return [_read(group, text) for group, text in sorted(banned.items())]

    @store_errors()
    def release_model(self, group: str) -> bool:
        """Let a model be used again; False when it was not in quarantine."""
        return bool(self._unban(group))


def _read(group: bytes, text: bytes) -> BannedModel:
    said = json.loads(text)
    return BannedModel(group.decode(), timestamp(int(said["since"])), int(said["deaths"]), str(said["last_exit"]))


def _absent() -> JobNotFound:
    return JobNotFound("There is no job of that id in quarantine; `explainery jobs quarantined` lists those there are.")
