"""The Flask application: the only place where the parts are joined."""

from __future__ import annotations

from functools import partial
from typing import Any

from apiflask import APIFlask

import explainery
from explainery.settings import Settings, load
from explainery.store.access import KeyStore
from explainery.store.backgrounds import Backgrounds
from explainery.store.batches import BatchStore
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore
from explainery.store.comparisons import ComparisonStore
from explainery.store.connection import connect
from explainery.store.events import EventStore
from explainery.store.figures import look
from explainery.store.files import FileStore
from explainery.store.hub import Hub
from explainery.store.jobs import JobStore
from explainery.store.layers import LayerStore
from explainery.store.runs import RunStore
from explainery.store.tenants import TenantStore
from explainery.store.watch import Watcher
from explainery.store.webhooks import WebhookStore
from service.figures import Drawings
from service.guard import guard_requests
from service.logs import request_log
from service.metrics import Metrics
from service.oidc import Verifier
from service.openapi.document import document
from service.parts import Parts
from service.passes import Passes
from service.plain_name import PlainName
from service.problems import register_problems
from service.routes import (
    anytime,
    backgrounds,
    batches,
    comparisons,
    estimates,
    explanations,
    figures,
    files,
    health,
    kserve_v1,
    methods,
    models,
    open_inference,
    quality_checks,
    results,
    torchserve,
    webhooks,
)
from service.routes import events as event_routes
from service.trace import trace_requests


def create_app(settings: Settings | None = None) -> APIFlask:
    """The API on the Redis of `settings`, which are read from the environment when not given.

    Nothing is sent to Redis before the first request. Raises SettingsInvalid.
    """
    no_files: Any = None  # Flask takes None, APIFlask's annotation does not say so
    app = APIFlask("service", title="Explainery", version=explainery.__version__, docs_path=None, static_folder=no_files)
    app.url_map.converters["plain"] = PlainName
    app.extensions["explainery"] = join(settings or load())
    app.config["MAX_CONTENT_LENGTH"] = app.extensions["explainery"].settings.max_body_bytes
    app.config["OPENAPI_VERSION"] = "3.1.0"
    app.spec_processor(document)
    trace_requests(app)
    guard_requests(app)
    register_problems(app)
    for routes in (
        explanations,
        estimates,
        comparisons,
        event_routes,
        webhooks,
        results,
        anytime,
        backgrounds,
        files,
        batches,
        figures,
        models,
        methods,
        quality_checks,
        kserve_v1,
        open_inference,
        torchserve,
        health,
    ):
        app.register_blueprint(routes.blueprint)
    return app


def join(settings: Settings) -> Parts:
    """The parts of one process."""
    redis = connect(settings)
    jobs, catalogue = JobStore(redis, settings), CatalogueStore(redis, settings)
    events = EventStore(redis, settings)
    hub = Hub(events, settings.max_streams)
    keys = KeyStore(redis)
    return Parts(
        settings=settings,
        jobs=jobs,
        backgrounds=Backgrounds(redis, settings),
        catalogue=catalogue,
        layers=LayerStore(redis, settings),
        runs=RunStore(redis),
        comparisons=ComparisonStore(redis, settings),
        watcher=Watcher(redis),
        events=events,
        hub=hub,
        webhooks=WebhookStore(redis, settings),
        files=FileStore(redis, settings),
        batches=BatchStore(redis, settings),
        bell=Bell(settings),
        metrics=Metrics(partial(look, redis), catalogue, hub.open_streams),
        drawings=Drawings(),
        log=request_log(),
        keys=keys,
        tenants=TenantStore(redis, settings),
        passes=Passes(keys),
        verifier=Verifier(settings) if "oidc" in settings.credentials else None,
    )
