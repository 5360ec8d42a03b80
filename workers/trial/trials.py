"""Trials as a worker sees them: a verdict that is published is taken, else the trial is held, one at a time on a host."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import structlog

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ResourceExhausted, StoreUnavailable
from explainery.settings import Settings
from explainery.store.verdicts import VerdictStore
from workers.trial.hold import START_S, hold
from workers.trial.parcel import HANDED
from workers.trial.turn import turn

log = structlog.get_logger()

LOOK_S = 0.2
SPARE_S = 10.0
Hold = Callable[[Settings, Mapping[str, bytes], Callable[[], bool]], Verdict]


def kind_of(settings: Settings) -> str:
    """A name for all workers that would come to the same verdict: same libraries, same machine, same limits and permissions."""
    libraries = [_version(name) for name in ("explainery", "torch", "onnx", "onnxruntime", "numpy", "safetensors")]
    about = [libraries, platform.python_version(), platform.machine(), [getattr(settings, name) for name in HANDED]]
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()


class Trials:
    """Judges files, by a verdict that was published or by a trial of its own. Redis may be away: then each worker tries."""

    def __init__(self, settings: Settings, store: VerdictStore, hold: Hold = hold) -> None:
        self._settings = settings
        self._store = store
        self._hold = hold
        self._stopped = False

    def stop(self) -> None:
        """End the trial that is held now, and hold no more."""
        self._stopped = True

    def published(self, digests: Sequence[str]) -> dict[str, Verdict]:
        """What trials have shown of these files, by digest."""
        try:
            return self._store.find(digests)
        except StoreUnavailable:
            return {}

    def judge(self, digest: str, files: Mapping[str, bytes]) -> Verdict:
        """The verdict on these files. Raises ResourceExhausted when no trial could be held."""
        while not self._stopped:
            if known := self.published([digest]):
                return known[digest]
            with turn(lambda: self._stopped) as ours:
                if ours and (verdict := self._in_turn(digest, files)):
                    return verdict
            time.sleep(LOOK_S)  # a worker on another host tries it
        raise ResourceExhausted("The model could not be tried: the worker was asked to leave.")

    def _in_turn(self, digest: str, files: Mapping[str, bytes]) -> Verdict | None:
        """Try the files, unless that was done meanwhile or is being done elsewhere (None)."""
        if known := self.published([digest]):
            return known[digest]
        if not self._begin(digest):
            return None
        try:
            if known := self.published([digest]):  # another ended between our looking and our beginning
                return known[digest]
            began = time.monotonic()
            verdict = self._hold(self._settings, files, lambda: self._stopped)
            seconds = round(time.monotonic() - began, 3)
            log.info("model_tried", digest=digest, seconds=seconds, need_bytes=verdict.need_bytes, refused=verdict.refused)
            self._publish(digest, verdict)
            return verdict
        finally:
            self._end(digest)

    def _begin(self, digest: str) -> bool:
        try:
            return self._store.begin(digest, START_S + self._settings.trial_s + SPARE_S)
        except StoreUnavailable:
            return True

    def _publish(self, digest: str, verdict: Verdict) -> None:
        try:
            self._store.publish(digest, verdict)
        except StoreUnavailable:
            log.warning("verdict_not_published", digest=digest)

    def _end(self, digest: str) -> None:
        try:
            self._store.end(digest)
        except StoreUnavailable:
            log.warning("trial_not_ended", digest=digest, reason="Redis does not answer; its key runs out")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
