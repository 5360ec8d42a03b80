"""ONNX twins of PyTorch models: on a CPU, ONNX Runtime gives the same values about twice as fast.

A model earns its twin by being asked: once its values have taken `twin_after_s`, a process of its own exports and checks it
(`twin_export.py`), and from the next batch on `Values` are answered by the twin. Gradients stay with PyTorch. Each worker
compares a twin with its own model once more: its digest does not cover the factory's code, nor the libraries' versions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError
from explainery.contract.job import ModelRef
from explainery.contract.model_card import ModelCard
from workers.loaded import Loaded
from workers.plugins import Place
from workers.runtimes.onnx.gate import TOLERANCE, probes
from workers.runtimes.onnx.session import Arrays, OnnxSession, opened

log = structlog.get_logger()
Forward = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


class Twinnable(Protocol):
    """A model that can let another answer for its values. `values_s`: seconds they have taken so far."""

    values_s: float
    has_twin: bool

    def adopt(self, forward: Forward, environment: Mapping[str, str | None]) -> None:
        """Let `forward` answer from now on."""
        ...


class Differs(ExplaineryError):
    """The twin's outputs are not the model's."""

    code = "twin_differs"


class Twins:
    """The twins of one worker's models, as files by digest under `<home>/twins`; they may be deleted at any time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._folder = place.settings.home / "twins"
        self._refused: set[str] = set()
        self._maker: subprocess.Popen[bytes] | None = None

    def tend(self, loaded: Loaded, before: Callable[[], object] = lambda: None) -> bool:
        """Between two batches: give a model its twin, or have it made; whether the model has just got one.

        `before` is called before it gets one.
        """
        ref = loaded.ref
        model: Any = loaded.model  # only some can have a twin
        if not self._may_have(ref, model):
            return False
        ready, refusal = twin_files(self._folder, ref.digest)
        if refusal.exists():
            self._refused.add(ref.digest)
            log.info("twin_refused", model=ref.name, version=ref.version, reason=json.loads(refusal.read_text())["reason"])
        elif ready.exists():
            before()
            return self._introduced(loaded, ready)
        elif model.values_s >= self._place.settings.twin_after_s and not self._busy():
            self._have_made(ref)
        return False

    def stop(self) -> None:
        """End a process that makes a twin."""
        if self._maker is not None:
            _end(self._maker)

    def _may_have(self, ref: ModelRef, model: Any) -> bool:
        wanted = self._place.settings.twin_after_s >= 0 and self._place.device == "cpu" and hasattr(model, "adopt")
        return wanted and not model.has_twin and ref.digest not in self._refused

    def _introduced(self, loaded: Loaded, ready: Path) -> bool:
        ref = loaded.ref
        try:
            session = opened(loaded.card, ready.read_bytes(), self._place)
            compare(session, loaded.card, loaded.model, loaded.sample, loaded.baseline)
        except Exception:  # a file that a crash has cut short, another version's, or the twin of what the factory built before
            log.warning("twin_not_adopted", model=ref.name, version=ref.version, exc_info=True)
            self._refused.add(ref.digest)
            return False
        model: Twinnable = loaded.model  # type: ignore[assignment]  # `_may_have` has looked
        model.adopt(session.forward, session.environment)
        log.info("twin_adopted", model=ref.name, version=ref.version)
        return True

    def _busy(self) -> bool:
        return self._maker is not None and self._maker.poll() is None

    def _have_made(self, ref: ModelRef) -> None:
        """Start the process; should it die without a word, the model goes without a twin."""
        if self._maker is not None and self._maker.args[-1] == ref.digest:  # type: ignore[index]  # a list of ours
            self._refused.add(ref.digest)
            return
        command = [sys.executable, "-m", "workers.twin_export", str(os.getpid()), ref.name, ref.version, ref.digest]
        with (self._folder.parent / "twins.log").open("wb") as told:
            self._maker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)  # noqa: S603  our own
        weakref.finalize(self, _end, self._maker)
        log.info("twin_begun", model=ref.name, version=ref.version)


def _end(maker: subprocess.Popen[bytes]) -> None:
    maker.kill()
    maker.wait()


def compare(session: OnnxSession, card: ModelCard, model: Any, sample: Arrays, baseline: Arrays) -> None:
    """Raise Differs where the twin's outputs are not the model's, on what the parity gate of ONNX files compares on."""
    for rows in probes(card, session, sample, baseline):
        feeds = session.feeds(rows)
        expected = model.fetch(model.forward({name: model.place(array) for name, array in feeds.items()}))
        worst = np.abs(session.forward(rows) - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
        if not worst <= TOLERANCE:
            raise Differs(f"The twin's outputs differ by {worst:.1e}.")


def twin_files(folder: Path, digest: str) -> tuple[Path, Path]:
    """Where a digest's twin lies, and the reason why it has none."""
    name = digest.replace(":", "-")
    return folder / f"{name}.onnx", folder / f"{name}.json"
