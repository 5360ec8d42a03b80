"""The engine without a queue: explain rows in this process.

For tests, benchmarks and notebooks; the service never comes here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.job import Baseline, CheckOrder, JobSpec, ModelRef
from explainery.contract.result import Result
from explainery.contract.tensors import pack, unpack_result
from explainery.settings import Settings
from explainery.store.jobs import Claim
from workers.batch import Batch
from workers.device import device_of
from workers.governor import Governor
from workers.loaded import Loaded
from workers.models import ModelCache
from workers.plugins import Place
from workers.registry import Registry, discover
from workers.repository import Repository
from workers.text.reading import MEDIA_TYPE


@dataclass(frozen=True)
class Order:
    """One job for `Local.explain_all`.

    `inputs`: input name -> [rows, *row shape], or strings; `arrays`: baselines and backgrounds as stored.
    """

    method: str
    inputs: Mapping[str, NDArray[Any] | Sequence[str]]
    params: Mapping[str, Any]
    target: int | str | None = "predicted"
    baseline: Baseline = Baseline(kind="zeros")  # frozen
    arrays: Mapping[str, NDArray[Any]] | None = None
    seed: int = 0
    quality: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Checks by name, with their parameters."""


Answered = tuple[Result, dict[str, NDArray[Any]]]


class Local:
    """Explains with the engine's own parts: repository, model cache, batches and governor."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry: Registry = discover(settings.plugins, settings.methods_off)
        self.repository = Repository(settings.models_url, settings.max_model_bytes)
        self.models = ModelCache(self.repository, self.registry, Place(device_of(settings), settings))
        self.governor = Governor(device_of(settings))
        self._ids = itertools.count()

    def load(self, name: str, version: int = 1) -> Loaded:
        """The loaded model."""
        return self.models.get(ModelRef(name=name, version=str(version), digest=self.repository.find(name, version).digest))

    def explain(self, model: str, order: Order) -> Answered:
        """Explain one job. Raises what the job would fail with."""
        return self.explain_all(model, [order])[0]

    def explain_all(self, model: str, orders: Sequence[Order]) -> list[Answered]:
        """Explain jobs of one model in one batch; results in the order asked. Raises the first failure."""
        loaded = self.load(model)
        batch = Batch(loaded, self.registry, self.governor, self.settings.batch_rows)
        claims = [self._claim(loaded, order) for order in orders]
        for claim in claims:
            batch.admit(claim)
        results: dict[str, Answered] = {}
        while batch.works:
            batch.plan()
            finished, failures = batch.step()
            for _, error in failures:
                raise error
            results |= {work.id: unpack_result(work.result()) for work in finished}
        return [results[claim.spec.id] for claim in claims]

    def _claim(self, loaded: Loaded, order: Order) -> Claim:
        rows = len(next(iter(order.inputs.values())))
        encodings: dict[str, str] = {}
        arrays: dict[str, NDArray[Any]] = {}
        for name, given in order.inputs.items():
            if isinstance(given[0], str):
                encodings[name] = MEDIA_TYPE
                arrays |= {f"encoded/{name}/{row}": np.frombuffer(text.encode(), np.uint8) for row, text in enumerate(given)}
            else:
                arrays[f"input/{name}"] = np.asarray(given)
        spec = JobSpec(
            id=f"local-{next(self._ids)}",
            model=loaded.ref,
            method=order.method,
            method_requested=order.method,
            params=self.registry.methods[order.method].SPEC.complete(order.params),
            rows=rows,
            target=(order.target,) * rows,  # type: ignore[arg-type]  # "predicted", an index or None
            baseline=order.baseline,
            encodings=encodings,
            seed=order.seed,
            quality=tuple(
                CheckOrder(check=name, params=self.registry.checks[name].SPEC.complete(given, "quality"))
                for name, given in order.quality.items()
            ),
        )
        blob = pack({**arrays, **(order.arrays or {})})
        return Claim(spec=spec, fence=1, attempts=1, losses=0, created_ms=0, deadline_ms=None, inputs=blob)
