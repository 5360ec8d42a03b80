"""The coordinator: takes batches that nobody drives, and drives them in turn, a little of each at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import traceback
from collections import Counter
from uuid import uuid4

from explainery.contract.errors import BatchNotFound, FileNotFound, StoreUnavailable
from explainery.settings import Settings
from explainery.store.backgrounds import Backgrounds
from explainery.store.batches import BatchStore, Lease, LeaseLost, Progress
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore
from explainery.store.connection import connect
from explainery.store.files import FileStore
from explainery.store.jobs import JobStore
from explainery.store.layers import LayerStore
from explainery.store.runs import RunStore
from explainery.store.tenants import TenantStore
from service.admission import Terms
from service.batches.drive import Drive, Tools
from service.batches.lines import JsonLines, Reader, UnusableInput
from service.batches.planning import PASSING, Desk
from service.batches.rights import Rights
from service.batches.tables import CsvRows, ParquetRows, columns_of

MOST, OF_ONE = 16, 4
"""Batches that one coordinator drives at once, and those of one tenant among them, which so does not hold up the others."""
IDLE_S, LONGEST_S = 0.01, 0.2
LOOK_S = 0.5
"""How often it looks for batches that nobody drives."""
SWEEP_S, TIDY_S = 60.0, 3600.0
RETRY_S = 0.5
TRIES = 5
"""How often a batch on which we break is begun anew."""

log = logging.getLogger(__name__)


class Coordinator:
    """One per process. `run` until `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._redis = connect(settings)
        self._settings = settings
        self._name = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._stopped = threading.Event()
        self._drives: dict[Lease, Drive | None] = {}
        self._broken: Counter[str] = Counter()
        self._rests: dict[str, float] = {}
        self._look_at = self._sweep_at = self._tidy_at = 0.0
        self._catalogue = CatalogueStore(self._redis, settings)
        self._layers, self._runs = LayerStore(self._redis, settings), RunStore(self._redis)
        self._backgrounds = Backgrounds(self._redis, settings)
        self._batches, self._files = BatchStore(self._redis, settings), FileStore(self._redis, settings)
        self._rights = Rights(TenantStore(self._redis, settings), self._catalogue, self._backgrounds, settings)
        self._tools = Tools(
            batches=self._batches,
            files=self._files,
            jobs=JobStore(self._redis, settings),
            bell=Bell(settings),
            desk=self._desk,
            reader=self._reader,
            keep_s=min(settings.lease_s / 4, 1.0),
            chunk_lines=settings.chunk_lines,
        )

    def run(self) -> None:
        """Drive batches until told to stop; another goes on with them then."""
        idle_s = IDLE_S
        while not self._stopped.is_set():
            try:
                moved = self.turn()
            except StoreUnavailable as error:
                log.warning("store_unavailable: %s; trying again", error.detail)
                self._stopped.wait(RETRY_S)
                continue
            idle_s = IDLE_S if moved else min(idle_s * 1.5, LONGEST_S)
            self._stopped.wait(0 if moved else idle_s)
        self._leave()
        self._redis.close()

    def _leave(self) -> None:
        """Let others go on at once, without waiting for our leases to end."""
        for lease in self._drives:
            with contextlib.suppress(StoreUnavailable, LeaseLost):
                self._batches.leave(lease)
        self._drives = {}

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    def turn(self) -> bool:
        """A little of everything; whether there was anything to do. Raises StoreUnavailable."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._files.sweep()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_S
            self._files.sweep_strays()
        moved = [self._step(lease) for lease in list(self._drives)]
        return any(moved)

    def _look(self) -> None:
        while len(self._drives) < MOST and (lease := self._taken()) is not None:
            log.info("batch=%s taken fence=%d", lease.batch, lease.fence)
            self._drives = {held: drive for held, drive in self._drives.items() if held.batch != lease.batch}
            self._drives[lease] = None

    def _taken(self) -> Lease | None:
        held = Counter(lease.tenant for lease in self._drives)
        return self._batches.take(self._name, [tenant for tenant, count in held.items() if count >= OF_ONE])

    def _step(self, lease: Lease) -> bool:
        """A little of one batch. After an error it is begun anew, from what is noted of it."""
        if time.monotonic() < self._rests.get(lease.batch, 0.0):
            return False
        self._rests.pop(lease.batch, None)
        drive = self._drives[lease]
        try:
            if drive is None:
                drive = self._drives[lease] = Drive(self._tools, lease)
            moved = drive.step()
        except StoreUnavailable as error:  # perhaps of its own files alone: the others go on
            log.warning("batch=%s store_unavailable: %s; trying again", lease.batch, error.detail)
            self._drives[lease] = None
            self._rests[lease.batch] = time.monotonic() + RETRY_S
            return False
        except PASSING:
            return False
        except (LeaseLost, BatchNotFound):
            log.info("batch=%s is another's", lease.batch)
            del self._drives[lease]
            return True
        except Exception as error:  # one batch must not stop all others; a message could quote what was sent
            self._drives[lease] = None
            self._count(lease, drive, error)
            return False
        if drive.over:
            del self._drives[lease]
            self._broken.pop(lease.batch, None)
        return moved

    def _count(self, lease: Lease, drive: Drive | None, error: Exception) -> None:
        """A batch on which we break again and again has failed."""
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        log.error("batch=%s broke kind=%s at=%s", lease.batch, type(error).__name__, frames[-4:])
        self._broken[lease.batch] += 1
        if drive is not None and (isinstance(error, FileNotFound) or self._broken[lease.batch] >= TRIES):
            told = ("input_file_missing", "The input file is not there any more.")
            with contextlib.suppress(LeaseLost):  # then it is another's, and its to fail
                drive.fail(
                    *(told if isinstance(error, FileNotFound) else ("internal_error", "Something went wrong on our side."))
                )
            del self._drives[lease]

    def _desk(self, tenant: str) -> Desk:
        settings = self._settings
        return Desk(
            shelf=self._rights.shelf(tenant),
            quota=self._rights.quota(tenant),
            terms=Terms(tenant, None, settings.max_rows, "off", self._catalogue.device, settings.max_evaluations),
            layers_of=self._layers.find,
            past_of=self._runs.past,
            backgrounds=self._backgrounds,
            max_evaluations=settings.max_evaluations,
            most_rows=min(settings.batch_rows, settings.max_rows),
        )

    def _reader(self, batch: Progress) -> Reader:
        """What reads a batch's input. Raises UnusableInput, UnknownModel, FileNotFound."""
        form = self._files.format(batch.tenant, batch.input)
        if form == "jsonl":
            return JsonLines()
        shared = batch.asked.request or {}
        if "model" not in shared:
            raise UnusableInput("request_missing", "A table needs `request` with the model that its rows are for.", "request")
        columns = columns_of(self._rights.shelf(batch.tenant).usable(str(shared["model"])).card, shared)
        return CsvRows(columns) if form == "csv" else ParquetRows(columns)
