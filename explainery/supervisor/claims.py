"""What dead workers held goes back to the line at once, before any lease runs out."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from explainery.contract.errors import StoreUnavailable
from explainery.settings import Settings
from explainery.supervisor.child import Launch

if TYPE_CHECKING:
    from explainery.store.bell import Bell
    from explainery.store.catalogue import CatalogueStore
    from explainery.store.jobs import JobStore

log = logging.getLogger(__name__)

_RETRY_S = 0.5


class Claims:
    """Gives back the claims of workers that died; what Redis does not accept now is tried again."""

    def __init__(self, settings: Settings, redis_url: str) -> None:
        self._settings = replace(settings, redis_url=redis_url)
        self._pending: dict[str, str | None] = {}

    @property
    def due_s(self) -> float:
        """Seconds until `settle` should be called again."""
        return _RETRY_S if self._pending else float("inf")

    def warm_up(self) -> None:
        """Import Celery and what else a release needs now: when a worker dies, there is no time for it."""
        _ = self._store

    def give_back(self, launch: Launch, lost: str | None) -> None:
        """Note that a worker is dead and settle. `lost`: how it died at work, which counts against the jobs it held."""
        self._pending[launch.identity] = lost
        self.settle()

    def settle(self) -> None:
        """Release and withdraw every worker noted. Redis may be down just now: then the rest stays noted."""
        for worker, lost in list(self._pending.items()):
            try:
                self._release(worker, lost)
            except StoreUnavailable:
                log.warning("Redis does not answer; what %s held is given back later", worker)
                return
            except Exception:  # whatever it is, it must not end the supervisor: the leases will run out
                log.exception("what %s held could not be given back; its leases will run out", worker)
            del self._pending[worker]

    def _release(self, worker: str, lost: str | None) -> None:
        jobs, catalogue, bell = self._store
        catalogue.withdraw(worker)
        calls = jobs.release(worker, lost=lost is not None, manner=lost or "left")
        for whom in calls:
            bell.ring(whom)
        if calls:
            log.info("gave back what %s held", worker)

    @cached_property
    def _store(self) -> tuple[JobStore, CatalogueStore, Bell]:
        from explainery.store.bell import Bell
        from explainery.store.catalogue import CatalogueStore
        from explainery.store.connection import connect
        from explainery.store.jobs import JobStore

        redis = connect(self._settings)
        return JobStore(redis, self._settings), CatalogueStore(redis, self._settings), Bell(self._settings)
