"""One worker process: joins registry, repository, models, engine and heartbeat. The only place in `workers/` that does."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import structlog
import torch

from explainery import __version__
from explainery.contract.catalogue import Offer, Verdict
from explainery.contract.errors import StoreUnavailable
from explainery.contract.job import ModelRef, group_of
from explainery.contract.layers import LayerSpec
from explainery.settings import Settings
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.connection import connect, refuse_cluster
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from explainery.store.layers import LayerStore
from explainery.store.runs import RunStore
from explainery.store.verdicts import VerdictStore
from workers.device import device_of, one_thread_for_numpy, resident_bytes, threads_of
from workers.engine import Engine
from workers.footprint import installed
from workers.heartbeat import Heartbeat, Ledger
from workers.leaving import asked, at_once
from workers.models import ModelCache
from workers.offering import offer_of
from workers.past_runs import PastRuns
from workers.plugins import Place
from workers.registry import discover
from workers.repository import Found, Repository
from workers.trial.trials import Trials, kind_of
from workers.verdicts import Verdicts

log = structlog.get_logger()


@cache
def worker_id() -> str:
    """This process's name in the ledger: new at each start, given by who started it or made up."""
    return os.environ.get("EXPLAINERY_WORKER_ID") or f"{socket.gethostname()}-{new_job_id()}"


class Worker:
    """Everything a process needs to answer bells."""

    def __init__(self, settings: Settings) -> None:
        settings = dataclasses.replace(settings, threads=threads_of(settings))
        torch.set_num_threads(settings.threads)
        one_thread_for_numpy()
        self._settings = settings
        self.id = worker_id()
        self._device = device_of(settings)
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        redis = connect(settings)
        refuse_cluster(redis)
        self._store = JobStore(redis, settings)
        self._catalogue = CatalogueStore(redis, settings)
        self._layers = LayerStore(redis, settings)
        self._registry = discover(settings.plugins, settings.methods_off)
        self._repository = Repository(settings.models_url, settings.max_model_bytes)
        trials = Trials(settings, VerdictStore(redis, settings, kind_of(settings), self.id)) if settings.trials else None
        self._verdicts = Verdicts(self._repository, self._registry, settings, trials, self._forget_offer, self._note_layers)
        self._models = ModelCache(
            self._repository,
            self._registry,
            Place(self._device, settings),
            self._note_load,
            self._note_verdict,
            self._verdicts.admit,
        )
        self._bell = Bell(settings)
        self._engine = Engine(
            settings,
            self.id,
            self._store,
            self._registry,
            self._models,
            self._bell,
            PastRuns(RunStore(redis), self._models.device),
        )
        self._room_bytes = settings.job_bytes or installed(self._device).host // 4 // settings.workers
        self._offer: tuple[float, Offer] | None = None
        self._told: set[tuple[str, int, str | None]] = set()
        ledger = Ledger(self._store, self._catalogue, self._bell)
        self._heartbeat = Heartbeat(settings, self._engine, ledger, self.info, self.offer, self._groups)

    def start(self) -> None:
        """Publish the catalogue and start the heartbeat."""
        self._engine.leave, self._engine.leave_at_once = asked, at_once
        self._heartbeat.start()
        self._verdicts.start()
        offer = self.offer()
        log.info("worker_started", worker=self.id, device=self._device, models=len(offer.models), methods=len(offer.methods))

    def stop(self) -> None:
        """Leave in good order: give back what is held, and be listed no more."""
        self._verdicts.stop()
        self._heartbeat.stop()
        self._models.stop()
        try:
            self._catalogue.withdraw(self.id)
            for whom in self._store.release(self.id, lost=False):
                self._bell.ring(whom)
        except StoreUnavailable:
            log.warning("left_without_goodbye", reason="Redis does not answer; the leases will run out")

    def drain(self, whom: str) -> None:
        """Answer a bell that was rung for `whom`."""
        self._engine.drain(whom)

    def _groups(self) -> list[str]:
        """The groups whose model is in memory."""
        return [group_of(ref) for ref in self._models.refs]

    def _note_load(self, ref: ModelRef, seconds: float) -> None:
        try:
            self._store.loaded(group_of(ref), seconds)
        except StoreUnavailable:
            log.warning("load_not_noted", model=ref.name)

    def _note_verdict(self, digest: str, verdict: Verdict) -> None:
        """Keep what loading a model has shown; the next beat publishes it."""
        before = self._verdicts.of(digest)
        self._verdicts.note(digest, verdict)
        if self._verdicts.of(digest) != before:
            self._forget_offer()

    def _note_layers(self, digest: str, layers: Sequence[LayerSpec]) -> None:
        try:
            self._layers.publish(digest, layers)
        except StoreUnavailable:
            log.warning("layers_not_published", digest=digest)

    def _forget_offer(self) -> None:
        """Make the next beat look and publish again."""
        self._offer = None

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
            memory_bytes=resident_bytes(),
        )

    def offer(self) -> Offer:
        """What this worker offers; the repository is looked through again every `rescan_s`."""
        now, held = time.monotonic(), self._offer  # the main thread may forget it at any time
        if held is None or now - held[0] >= self._settings.rescan_s:
            found = self._repository.scan()
            self._verdicts.look(found)
            offer = offer_of(self._registry, found, self._settings, self._verdicts.of, self._room_bytes)
            self._offer = (now, offer)
            self._tell_faults(found, offer)
            return offer
        return held[1]

    def _tell_faults(self, found: list[Found], offer: Offer) -> None:
        """Log what cannot be used, once each."""
        faults = [(entry.name, entry.version, entry.fault) for entry in found if entry.fault]
        faults += [(entry.name, entry.version, entry.fault) for entry in offer.models if entry.fault]
        for fault in faults:
            if fault not in self._told:
                log.warning("model_not_usable", model=fault[0], version=fault[1], reason=fault[2])
        self._told = set(faults)
