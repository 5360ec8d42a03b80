"""One worker process: joins registry, repository, models, engine and heartbeat. The only place in `workers/` that does."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
import torch

from explainery import __version__
from explainery.contract.catalogue import Offer
from explainery.contract.errors import StoreUnavailable
from explainery.settings import Settings
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from workers.device import device_of, threads_of
from workers.engine import Engine
from workers.heartbeat import Heartbeat
from workers.models import ModelCache
from workers.offering import offer_of
from workers.plugins import Place
from workers.registry import discover
from workers.repository import Found, Repository

log = structlog.get_logger()


class Worker:
    """Everything a process needs to answer bells."""

    def __init__(self, settings: Settings) -> None:
        settings = dataclasses.replace(settings, threads=threads_of(settings))
        torch.set_num_threads(settings.threads)
        self._settings = settings
        self.id = os.environ.get("EXPLAINERY_WORKER_ID") or f"{socket.gethostname()}-{new_job_id()}"
        self._device = device_of(settings)
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        redis = connect(settings)
        self._store = JobStore(redis, settings)
        self._catalogue = CatalogueStore(redis, settings)
        self._registry = discover(settings.plugins)
        self._repository = Repository(settings.models_url)
        self._models = ModelCache(self._repository, self._registry, Place(self._device, settings))
        bell = Bell(settings)
        self._engine = Engine(settings, self.id, self._store, self._registry, self._models, bell)
        self._offer: tuple[float, Offer] | None = None
        self._told: set[tuple[str, int, str | None]] = set()
        self._heartbeat = Heartbeat(settings, self._engine, self._store, self._catalogue, bell, self.info, self.offer)

    def start(self, leave: Callable[[], bool]) -> None:
        """Publish the catalogue and start the heartbeat. `leave` says when the process was asked to end."""
        self._engine.leave = leave
        self._heartbeat.start()
        offer = self.offer()
        log.info("worker_started", worker=self.id, device=self._device, models=len(offer.models), methods=len(offer.methods))

    def stop(self) -> None:
        """Leave in good order: give back what is held, and be listed no more."""
        self._heartbeat.stop()
        try:
            for group in self._store.release(self.id, lost=False):
                log.info("work_given_back", group=group)
            self._catalogue.withdraw(self.id)
        except StoreUnavailable:
            log.warning("left_without_goodbye", reason="Redis does not answer; the leases will run out")

    def drain(self, group: str) -> None:
        """Work on a group's jobs."""
        self._engine.drain(group)

    def info(self) -> WorkerInfo:
        """What this worker is, for the ledger."""
        return WorkerInfo(
            id=self.id,
            pid=os.getpid(),
            host=socket.gethostname(),
            device=self._device,
            started_at=self._started_at,
            resident=self._models.resident,
            environment={"explainery": __version__, "torch": torch.__version__.partition("+")[0]},
        )

    def offer(self) -> Offer:
        """What this worker offers; the repository is looked through again every `rescan_s`."""
        now = time.monotonic()
        if self._offer is None or now - self._offer[0] >= self._settings.rescan_s:
            found = self._repository.scan()
            self._offer = (now, offer_of(self._registry, found, self._settings))
            self._tell_faults(found, self._offer[1])
        return self._offer[1]

    def _tell_faults(self, found: list[Found], offer: Offer) -> None:
        """Log what cannot be used, once each."""
        faults = [(entry.name, entry.version, entry.fault) for entry in found if entry.fault]
        faults += [(entry.name, entry.version, entry.fault) for entry in offer.models if entry.fault]
        for fault in faults:
            if fault not in self._told:
                log.warning("model_not_usable", model=fault[0], version=fault[1], reason=fault[2])
        self._told = set(faults)
