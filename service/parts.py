"""What the routes work with, joined by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from explainery.settings import Settings
from explainery.store.backgrounds import Backgrounds
from explainery.store.batches import BatchStore
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore
from explainery.store.comparisons import ComparisonStore
from explainery.store.events import EventStore
from explainery.store.files import FileStore
from explainery.store.hub import Hub
from explainery.store.jobs import JobStore
from explainery.store.layers import LayerStore
from explainery.store.runs import RunStore
from explainery.store.watch import Watcher
from explainery.store.webhooks import WebhookStore
from service.figures import Drawings
from service.metrics import Metrics
from service.shelf import Shelf


@dataclass
class Parts:
    """The parts of one API process. `log`: a structlog logger."""

    settings: Settings
    jobs: JobStore
    backgrounds: Backgrounds
    catalogue: CatalogueStore
    layers: LayerStore
    runs: RunStore
    comparisons: ComparisonStore
    watcher: Watcher
    events: EventStore
    hub: Hub
    webhooks: WebhookStore
    files: FileStore
    batches: BatchStore
    bell: Bell
    metrics: Metrics
    drawings: Drawings
    log: Any
    _shelf: Shelf | None = None

    def shelf(self) -> Shelf:
        """What the workers offer now; arranged anew only when it has changed. Raises CatalogueUnavailable."""
        offer = self.catalogue.offer()
        shelf = self._shelf
        if shelf is None or shelf.offer is not offer:
            shelf = self._shelf = Shelf(offer)
        return shelf


def parts() -> Parts:
    """The parts of the app that answers the current request."""
    return cast(Parts, current_app.extensions["explainery"])
