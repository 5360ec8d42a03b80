"""Metrics for Prometheus: requests of this process, and the ledger's own figures, read from Redis when asked.

The ledger's figures are the same whichever API process is asked: none of them is counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from explainery.contract.errors import StoreUnavailable
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.figures import Figures
from explainery.store.figures import Histogram as Times

BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one app: `seen` counts a request, `render` gives the exposition text."""

    def __init__(self, look: Callable[[], Figures], catalogue: CatalogueStore, streams: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(LedgerCollector(look, catalogue))
        open_streams = Gauge("explainery_event_streams", "Event streams that are open.", registry=self._registry)
        open_streams.set_function(streams)
        labels = ("method", "route", "status")
        self._requests = Counter("explainery_http_requests_total", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "explainery_http_request_seconds", "Time to answer.", ("route",), registry=self._registry, buckets=BUCKETS_S
        )

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


class LedgerCollector(Collector):
    """Reads the ledger at each scrape; without Redis it says only that."""

    def __init__(self, look: Callable[[], Figures], catalogue: CatalogueStore) -> None:
        self._look = look
        self._catalogue = catalogue

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything the ledger counts, and the workers that live."""
        try:
            figures, workers = self._look(), self._catalogue.workers()
        except StoreUnavailable:
            yield GaugeMetricFamily("explainery_redis_up", "Whether Redis answers.", 0)
            return
        yield GaugeMetricFamily("explainery_redis_up", "Whether Redis answers.", 1)
        yield from _gauges(figures)
        yield from _lines(figures)
        yield from _workers(workers)
        events = CounterMetricFamily("explainery_events", "What happened in the ledger.", labels=["event"])
        for event, count in figures.counts.items():
            events.add_metric([event], count)
        yield events
        for what, times in figures.histograms.items():
            yield _histogram(*SHOWN[what], times)


SHOWN = {
    "wait": ("explainery_wait_seconds", "Time from a job's admission to its first claim."),
    "load": ("explainery_load_seconds", "Time to load a model."),
    "compute": ("explainery_compute_seconds", "A job's share of its model's time."),
    "store": ("explainery_store_seconds", "Time to store a result."),
    "batch": ("explainery_batch_jobs", "Most jobs that a batch held together with a job."),
    "chunk": ("explainery_chunk_points", "Most points that a call of the model held together with a job's."),
}
"""Histogram -> metric and what it says."""


def _gauges(figures: Figures) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("explainery_jobs", "Jobs that are kept, by state.", labels=["state"])
    for state, count in figures.jobs.items():
        jobs.add_metric([state], count)
    yield jobs
    running = GaugeMetricFamily("explainery_tenant_running", "Jobs that run, by tenant.", labels=["tenant"])
    for tenant, count in figures.running_of.items():
        running.add_metric([tenant], count)
    yield running
    for name, text, value in (
        ("jobs_waiting", "Jobs that wait for a worker.", sum(line.jobs for line in figures.lines.values())),
        ("oldest_waiting_seconds", "Age of the oldest job that waits.", figures.oldest_age_s or 0.0),
        ("ended_per_second", "Jobs that ended, over the last minute.", figures.ended_per_s),
        ("input_bytes", "Bytes of the inputs of jobs that have not ended.", figures.input_bytes),
        ("redis_memory_bytes", "Memory that Redis uses.", figures.memory_bytes),
        ("workers", "Workers that live.", figures.workers),
        ("workers_awake", "Workers that are at work or looking for it.", figures.awake),
        ("quarantined", "Jobs in quarantine.", figures.quarantined),
        ("models_quarantined", "Models in quarantine.", figures.models_quarantined),
    ):
        yield GaugeMetricFamily(f"explainery_{name}", text, value)


def _lines(figures: Figures) -> Iterator[Metric]:
    for name, text, field in (
        ("queue_jobs", "Jobs that wait, by class.", "jobs"),
        ("queue_compute_seconds", "Estimated seconds of compute that wait, by class.", "compute_s"),
        ("queue_models", "Models that jobs wait for, by class.", "groups"),
    ):
        family = GaugeMetricFamily(f"explainery_{name}", text, labels=["priority"])
        for priority, line in figures.lines.items():
            family.add_metric([priority], getattr(line, field))
        yield family


def _workers(workers: list[WorkerInfo]) -> Iterator[Metric]:
    memory = GaugeMetricFamily("explainery_worker_memory_bytes", "Resident memory.", labels=["worker", "device"])
    models = GaugeMetricFamily("explainery_worker_models", "Models in memory.", labels=["worker", "device"])
    for worker in workers:
        memory.add_metric([worker.id, worker.device], worker.memory_bytes)
        models.add_metric([worker.id, worker.device], len(worker.resident))
    yield from (memory, models)


def _histogram(name: str, text: str, times: Times) -> Metric:
    counts = list(accumulate(times.buckets.values()))
    buckets = [(f"{bound:g}", float(count)) for bound, count in zip(times.buckets, counts, strict=True)]
    total = float(counts[-1]) if counts else 0.0
    return HistogramMetricFamily(name, text, buckets=[*buckets, ("+Inf", total)], sum_value=times.total)
