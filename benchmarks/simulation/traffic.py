"""A day of made-up work for the simulation: who asks what of which model when, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLOT_S = 10.0
BURST = 6.0
"""How much more comes while a burst lasts."""
CALM_SLOTS, BURST_SLOTS = 120, 12
"""Mean lengths of calm and burst: twenty minutes, two minutes."""
BURST_SHARE = 0.6
"""What of a burst is one tenant's, on one model."""
BATCH_SHARE = 0.3
SPREAD, SURPRISE = 1.0, 0.3
"""Sigma of the log-normal service times, and of what they really take over what was estimated."""


@dataclass(frozen=True)
class Scale:
    """How large the simulated installation is.

    `utilisation`: of the workers, were there no loads and no fusing; with the number of jobs it sets how long they take.
    `reap_s`: every so often somebody reaps. Each worker does at its heartbeat, every 2.5 s, but more than one reap a second
    rings no more bells.
    """

    workers: int
    models: int
    tenants: int
    jobs: int
    hours: float
    cache: int
    utilisation: float
    seed: int
    reap_s: float

    @property
    def span_s(self) -> float:
        """The seconds in which jobs arrive."""
        return self.hours * 3600

    @property
    def mean_s(self) -> float:
        """How long a job takes on average."""
        return self.utilisation * self.workers * self.span_s / self.jobs


@dataclass(frozen=True)
class Ask:
    """One job to come. `estimate_s` is what its effort says, `compute_s` what it takes."""

    at_s: float
    tenant: int
    model: int
    batch: bool
    estimate_s: float
    compute_s: float


def traffic(scale: Scale) -> list[Ask]:
    """Everything that comes, by time: a diurnal rate times bursts that come and go as a Markov chain."""
    random = np.random.default_rng(scale.seed)
    slots = max(1, round(scale.span_s / SLOT_S))
    bursts = _bursts(random, slots)
    rate = (1 + 0.8 * np.sin(np.linspace(-np.pi / 2, 3 * np.pi / 2, slots))) * np.where(bursts >= 0, BURST, 1.0)
    slot = np.repeat(np.arange(slots), random.multinomial(scale.jobs, rate / rate.sum()))
    at_s = np.sort((slot + random.random(scale.jobs)) * SLOT_S)
    tenant, model = zipf(random, scale.tenants, scale.jobs), zipf(random, scale.models, scale.jobs)
    in_burst = (bursts[slot] >= 0) & (random.random(scale.jobs) < BURST_SHARE)
    tenant = np.where(in_burst, bursts[slot] % scale.tenants, tenant)
    model = np.where(in_burst, bursts[slot] % scale.models, model)
    estimate_s = random.lognormal(np.log(scale.mean_s) - SPREAD**2 / 2, SPREAD, scale.jobs)
    compute_s = estimate_s * random.lognormal(-(SURPRISE**2) / 2, SURPRISE, scale.jobs)
    batch = random.random(scale.jobs) < BATCH_SHARE
    columns = (at_s, tenant, model, batch, estimate_s, compute_s)
    return [Ask(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def load_times(scale: Scale) -> list[float]:
    """Seconds to load each model: 1 to 8."""
    return list(np.random.default_rng(scale.seed + 1).uniform(1.0, 8.0, scale.models).tolist())


def zipf(random: np.random.Generator, kinds: int, size: int) -> np.ndarray:
    """Numbers below `kinds`, the k-th in proportion to 1 / (k + 1)."""
    weights = 1 / np.arange(1, kinds + 1)
    return random.choice(kinds, size, p=weights / weights.sum())


def _bursts(random: np.random.Generator, slots: int) -> np.ndarray:
    """For each slot the number of the burst it belongs to, a random one; -1 in the calm."""
    numbers = np.full(slots, -1)
    at = random.geometric(1 / CALM_SLOTS)
    while at < slots:
        length = random.geometric(1 / BURST_SLOTS)
        numbers[at : at + length] = random.integers(1 << 30)
        at += length + random.geometric(1 / CALM_SLOTS)
    return numbers
