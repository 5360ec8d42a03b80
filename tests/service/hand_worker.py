"""A worker moved by hand: it uses the real store, claims a job and publishes what it is told to."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from redis import Redis

from explainery.contract.catalogue import Offer
from explainery.contract.job import JobError
from explainery.contract.result import Attribution, Cost, Explanation, MapInfo, ModelUsed, Quality, Result, Target
from explainery.contract.tensors import pack_result, unpack
from explainery.settings import Settings
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.connection import connect
from explainery.store.jobs import Advance, Claim, JobStore, Limits

NAME = "worker-hand"


class HandWorker:
    def __init__(self, settings: Settings, offer: Offer) -> None:
        self.redis: Redis = connect(settings)
        self.jobs = JobStore(self.redis, settings)
        self.catalogue = CatalogueStore(self.redis, settings)
        self.offer = offer
        self.stop = threading.Event()

    def announce(self) -> None:
        info = WorkerInfo(NAME, 1, "here", "cpu", "2026-01-01T00:00:00Z", (), {"explainery": "0.1.0"})
        self.catalogue.publish(info, self.offer)

    def take(self) -> Claim:
        (claim,) = self.jobs.claim(NAME, Limits(1, 1)).claims
        return claim

    def succeed(self, claim: Claim) -> bool:
        rows = claim.spec.rows
        done = Advance(claim.spec.id, claim.fence, rows, rows, "model_evaluations")
        return self.jobs.succeed(NAME, claim.spec.id, claim.fence, result_of(claim), done, 0.001)

    def fail(self, claim: Claim, code: str = "model_failed") -> bool:
        error = JobError(code=code, detail="The model raised ValueError.", retryable=False)
        return self.jobs.fail(NAME, claim.spec.id, claim.fence, error)

    def serve(self) -> None:
        """Answer every job until told to stop."""
        while not self.stop.wait(0.002):
            for claim in self.jobs.claim(NAME, Limits(8, 8)).claims:
                self.succeed(claim)

    def close(self) -> None:
        self.stop.set()
        self.redis.close()


def result_of(claim: Claim) -> bytes:
    """A closed-form answer: the attribution of each element is the element."""
    spec = claim.spec
    if spec.method == "predict":
        return prediction_of(claim)
    inputs = {name.removeprefix("input/"): array for name, array in unpack(claim.inputs).items() if name.startswith("input/")}
    arrays: dict[str, Any] = {f"attributions.{name}": array.astype(np.float32) for name, array in inputs.items()}
    arrays["instance_output"] = np.ones(spec.rows)
    arrays["baseline_output"] = np.zeros(spec.rows)
    attributions = tuple(Attribution(input=name, shape=array.shape[1:], datatype="FP32") for name, array in inputs.items())
    quality = Quality(completeness_gap=0.0, approximation_error=None, standard_error=None, converged=True, verdict="pass")
    target = Target(output="logits", index=0)
    row = Explanation(target=target, instance_output=1.0, baseline_output=0.0, attributions=attributions, quality=quality)
    model = ModelUsed(**spec.model.model_dump(), runtime="stub")
    result = Result(
        id=spec.id, model=model, method=spec.method, params=spec.params, seed=spec.seed, value_function="baseline",
        explanations=(row,) * spec.rows, environment={"explainery": "0.1.0"},
        cost=Cost(model_evaluations=1, gradient_evaluations=0, seconds=0.1, batch_jobs=1),
    )  # fmt: skip
    return pack_result(result, arrays)


def prediction_of(claim: Claim) -> bytes:
    """What a model of three columns might answer: 0, 1 and 2 for every row."""
    spec = claim.spec
    outputs = np.tile(np.arange(3, dtype=np.float32), (spec.rows, 1))
    result = Result(
        id=spec.id, model=ModelUsed(**spec.model.model_dump(), runtime="stub"), method="predict", params={}, seed=0,
        value_function="baseline", explanations=(), environment={}, report={"text": "Three numbers."},
        cost=Cost(model_evaluations=1, gradient_evaluations=0, seconds=0.1, batch_jobs=1),
        maps=(MapInfo(name="output", shape=outputs.shape, axes=("row", "output")),),
    )  # fmt: skip
    return pack_result(result, {"maps.output": outputs, "instance_output": np.empty(0), "baseline_output": np.empty(0)})
