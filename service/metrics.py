"""Metrics for Prometheus: requests of this process, and the ledger's own figures, read from Redis when asked."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from explainery.contract.errors import StoreUnavailable
from explainery.store.catalogue import CatalogueStore
from explainery.store.jobs import JobStore

BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one app: `seen` counts a request, `render` gives the exposition text."""

    def __init__(self, jobs: JobStore, catalogue: CatalogueStore) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(LedgerCollector(jobs, catalogue))
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

    def __init__(self, jobs: JobStore, catalogue: CatalogueStore) -> None:
        self._jobs = jobs
        self._catalogue = catalogue

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Jobs per state, jobs that wait, live workers, and whether Redis answers."""
        try:
            counts, waiting, workers = self._jobs.counts(), self._jobs.waiting(), len(self._catalogue.workers())
        except StoreUnavailable:
            yield GaugeMetricFamily("explainery_redis_up", "Whether Redis answers.", 0)
            return
        jobs = GaugeMetricFamily("explainery_jobs", "Jobs that are kept, by state.", labels=["state"])
        for state, count in counts.items():
            jobs.add_metric([state], count)
        yield GaugeMetricFamily("explainery_redis_up", "Whether Redis answers.", 1)
        yield jobs
        yield GaugeMetricFamily("explainery_jobs_waiting", "Jobs that wait for a worker.", waiting)
        yield GaugeMetricFamily("explainery_workers", "Workers that live.", workers)
