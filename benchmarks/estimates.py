"""Estimates against what jobs then cost: 50 mixed jobs to warm up, then 200, through a real service and worker."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.models import add_net
from benchmarks.service_speed import service
from benchmarks.tables import met, show
from explainery.client import Client
from explainery.contract.calls import Count

WARM_UP, JOBS = 50, 200
CLIENTS = 8
SHARE = 0.9
"""Of the jobs whose seconds must be within a factor of two."""
SHAPES = {"mlp": (12,), "small-cnn": (1, 8, 8), "wide-cnn": (1, 16, 16), "no-op": (4,)}
BUDGETS = (32, 64, 128, 256, 512, 1024)
METHODS: dict[str, tuple[tuple[str, ...], dict[str, Sequence[Any]]]] = {
    "kernel_shap": (("mlp", "small-cnn", "no-op"), {"samples": BUDGETS, "tolerance": (0.0, 0.01)}),
    "permutation_shapley": (("mlp",), {"samples": BUDGETS, "tolerance": (0.0, 0.01)}),
    "exact_shapley": (("mlp", "no-op"), {}),
    "lime": (("mlp", "small-cnn"), {"samples": BUDGETS}),
    "rise": (("small-cnn", "wide-cnn"), {"samples": BUDGETS}),
    "feature_ablation": (("mlp", "wide-cnn"), {}),
    "occlusion": (("small-cnn", "wide-cnn"), {"window": (2, 3, 4), "stride": (1, 2)}),
    "saliency": (("mlp", "small-cnn"), {}),
    "smoothgrad": (("small-cnn", "wide-cnn"), {"samples": (10, 50, 200)}),
    "integrated_gradients": (("mlp", "small-cnn", "wide-cnn"), {"max_steps": BUDGETS, "tolerance": (0.0, 0.01)}),
    "expected_gradients": (("mlp",), {"samples": BUDGETS}),
    "grad_cam": (("small-cnn", "wide-cnn"), {}),
    "deep_lift": (("mlp",), {}),
}


@dataclass(frozen=True)
class Outcome:
    """A job: what was estimated, what it cost. `exact`, `right`: whether calls were said to be exact, and were the number."""

    method: str
    estimated_s: float
    compute_s: float
    clock_s: float
    basis: str
    exact: bool
    right: bool

    def within(self, seconds: float) -> bool:
        """Whether the estimate is within a factor of two."""
        return 0.5 <= self.estimated_s / max(seconds, 1e-9) <= 2.0

    def within_of(self, other: Outcome) -> bool:
        """Whether the same job took about as long when it was done again."""
        return 0.5 <= self.compute_s / other.compute_s <= 2.0


def main() -> None:
    """Print the shares within a factor of two, and whether calls were exact."""
    with tempfile.TemporaryDirectory() as home:
        for name in ("small-cnn", "wide-cnn"):
            add_net(
                Path(home) / "models",
                name,
                "small_cnn",
                {"size": SHAPES[name][1]},
                [*SHAPES[name]],
                10,
                modality="image",
                layout="NCHW",
            )
        with service(Path(home)) as (host, port), Client(f"http://{host}:{port}", timeout_s=300) as client:
            asked = jobs(random.Random(7))  # noqa: S311  # a fixed mixture
            for _ in range(WARM_UP):
                run(client, next(asked))
            alone = [twice(client, next(asked)) for _ in range(JOBS)]
            with ThreadPoolExecutor(CLIENTS) as pool:
                together = list(pool.map(lambda job: twice(client, job), [next(asked) for _ in range(JOBS)]))
    first = [one for one, _ in alone]
    show(
        f"Estimates of {JOBS} mixed jobs after {WARM_UP} of warm-up (models, methods, rows, budgets drawn at random)",
        ("jobs", "within 2x of compute seconds", "within 2x of seconds on the clock", "median ratio", "exact counts", "bounds"),
        [_row("one at a time", first), _row(f"{CLIENTS} clients", [one for one, _ in together])],
    )
    floors = [np.mean([one.within_of(other) for one, other in pairs]) for pairs in (alone, together)]
    print(
        f"\nThe same jobs done twice in a row: within 2x of each other in {floors[0]:.1%} one at a time, "
        f"{floors[1]:.1%} with {CLIENTS} clients (what the machine allows)."
    )
    show(
        "One at a time, by method",
        ("method", "jobs", "within 2x", "median ratio", "median seconds"),
        [_by_method(name, [each for each in first if each.method == name]) for name in METHODS],
    )


def jobs(draw: random.Random) -> Iterator[dict[str, Any]]:
    """Jobs without end: a method, a model it works on, parameters, rows."""
    numbers = np.random.Generator(np.random.Philox(key=7))
    while True:
        method = draw.choice(list(METHODS))
        models, params = METHODS[method]
        model = draw.choice(models)
        rows = draw.choice((1, 1, 2, 4, 8, 16, 32))
        given = {name: draw.choice(list(values)) for name, values in params.items()}
        inputs = numbers.normal(size=(rows, *SHAPES[model])).astype(np.float32)
        target = None if model == "no-op" else "predicted"
        yield {"model": model, "method": method, "inputs": inputs, "params": given, "target": target, "baseline": "zeros"}


def twice(client: Client, job: dict[str, Any]) -> tuple[Outcome, Outcome]:
    """One job, and the same computed once more."""
    return run(client, job), run(client, {**job, "fresh": True})


def run(client: Client, job: dict[str, Any]) -> Outcome:
    """One job through the service."""
    entered = client.submit(**job, wait_s=20)
    cost = client.result(client.wait(entered)).result.cost
    estimate = entered.estimate
    assert estimate is not None and cost.compute_seconds is not None  # noqa: S101, PT018  # this service says both
    pairs = (
        (estimate.model_evaluations, cost.model_evaluations),
        (estimate.gradient_evaluations, cost.gradient_evaluations),
    )
    return Outcome(
        job["method"], estimate.seconds, cost.compute_seconds, cost.seconds, estimate.seconds_from,
        all(said.exact for said, _ in pairs), all(_holds(said, done) for said, done in pairs),
    )  # fmt: skip


def _holds(said: Count, done: int) -> bool:
    return done == said.expected if said.exact else said.least <= done <= (said.at_most or done)


def _row(name: str, found: list[Outcome]) -> tuple[object, ...]:
    compute = np.mean([each.within(each.compute_s) for each in found])
    clock = np.mean([each.within(each.clock_s) for each in found])
    exact = [each for each in found if each.exact]
    right = sum(each.right for each in exact)
    wrong = sum(not each.right for each in found if not each.exact)
    counts = f"{right} of {len(exact)}, {wrong} bounds broken"
    ratio = median(each.estimated_s / each.compute_s for each in found)
    return name, f"{compute:.1%}", f"{clock:.1%}", f"{ratio:.2f}", counts, met(float(compute), SHARE)


def _by_method(name: str, found: list[Outcome]) -> tuple[object, ...]:
    if not found:
        return name, 0, "-", "-", "-"
    within = np.mean([each.within(each.compute_s) for each in found])
    ratio = median(each.estimated_s / each.compute_s for each in found)
    return name, len(found), f"{within:.0%}", f"{ratio:.2f}", f"{median(each.compute_s for each in found):.4f}"
