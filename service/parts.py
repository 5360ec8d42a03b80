"""What the routes work with, joined by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app

from explainery.contract.access import Policy
from explainery.settings import Settings
from explainery.store.access import KeyStore
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
from explainery.store.tenants import TenantStore
from explainery.store.watch import Watcher
from explainery.store.webhooks import WebhookStore
from service.caller import caller_now
from service.figures import Drawings
from service.metrics import Metrics
from service.oidc import Verifier
from service.passes import Passes
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
    keys: KeyStore
    tenants: TenantStore
    passes: Passes
    verifier: Verifier | None = None
    _shelf: Shelf | None = None
    _views: dict[tuple[str, ...], Shelf] = field(default_factory=dict)

    def shelf(self) -> Shelf:
        """What the workers offer the caller now; arranged anew only when it has changed. Raises CatalogueUnavailable."""
        offer = self.catalogue.offer()
        shelf = self._shelf
        if shelf is None or shelf.offer is not offer:
            shelf = self._shelf = Shelf(offer)
            self._views = {}
        caller = caller_now()
        return shelf if caller is None or "*" in caller.policy.models else self._view(shelf, caller.policy)

    def _view(self, shelf: Shelf, policy: Policy) -> Shelf:
        """The shelf with those models alone that a tenant may use: of others it is not told that they are there."""
        views = self._views
        if policy.models not in views:
            models = tuple(model for model in shelf.offer.models if policy.allows(model.name))
            views[policy.models] = Shelf(shelf.offer.model_copy(update={"models": models}))
        return views[policy.models]


def parts() -> Parts:
    """The parts of the app that answers the current request."""
    return cast(Parts, current_app.extensions["explainery"])
