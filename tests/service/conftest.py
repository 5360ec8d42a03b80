"""The API on a real Redis, and a worker moved by hand."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from explainery.contract.access import Role
from explainery.contract.job import JobRequest
from explainery.settings import Settings
from service.admission import Admitted, Terms, admit
from service.app import create_app
from service.shelf import Shelf


def _beside(name: str) -> ModuleType:
    """A module of this folder: importlib mode puts no test folder on the path."""
    known = f"tests_service_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[known]


offers = _beside("offers")
HandWorker = _beside("hand_worker").HandWorker


@pytest.fixture
def offer() -> Any:
    return offers.OFFER


@pytest.fixture
def hand_worker() -> Any:
    """The class of workers moved by hand, for a test that needs one with other settings."""
    return HandWorker


@pytest.fixture
def enter(offer: Any) -> Any:
    """Admit a request to what is on offer."""
    shelf = Shelf(offer)

    def run(**request: Any) -> Admitted:
        asked = JobRequest.model_validate({"method": "kernel_shap", **request})
        return admit(asked, shelf, Terms(max_rows=100), job_id="0" * 26)

    return run


@pytest.fixture
def worker(settings: Settings, offer: Any) -> Iterator[Any]:
    """A worker that has said what it offers, and does nothing by itself."""
    hand = HandWorker(settings, offer)
    hand.announce()
    yield hand
    hand.close()


@pytest.fixture
def serving(worker: Any) -> Iterator[Any]:
    """The worker answers every job."""
    thread = threading.Thread(target=worker.serve)
    thread.start()
    yield worker
    worker.stop.set()
    thread.join()


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings)
    yield made
    parts = made.extensions["explainery"]
    parts.watcher.close()
    parts.hub.close()


@pytest.fixture
def client(app: Flask, worker: Any) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def job_keys(worker: Any) -> Any:
    """Every key a job leaves in Redis."""

    def keys() -> list[bytes]:
        about_jobs = ("job:", "inputs:", "result:", "waiting:", "state:", "model:", "decision:", "gone:")
        return [key for key in worker.redis.scan_iter() if any(f"{{explainery}}:{kind}".encode() in key for kind in about_jobs)]

    return keys


@pytest.fixture
def loan() -> dict[str, Any]:
    """A good request."""
    tensor = {"name": "row", "datatype": "FP32", "shape": [2, 4], "data": [1.0, 2.0, 0, 3.0, 4.0, 5.0, 1, 6.0]}
    return {"model": "loan", "method": "kernel_shap", "inputs": [tensor], "seed": 7, "decision_id": "loan-1"}


@pytest.fixture
def guarded(settings: Settings, worker: Any) -> Iterator[Any]:
    """An API that asks for keys, and clients that show one."""
    made = Guarded(dataclasses.replace(settings, auth="keys", events_heartbeat_s=0.05))
    yield made
    made.close()


@pytest.fixture
def until() -> Any:
    """Wait for a condition; fail when it does not come."""

    def wait(condition: Any) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come"
            time.sleep(0.02)

    return wait


class Guarded:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.apps: list[Flask] = []
        self.app = self.serve()
        parts = self.app.extensions["explainery"]
        self.keys, self.tenants = parts.keys, parts.tenants

    def serve(self, **changes: Any) -> Flask:
        """The same with other settings."""
        self.apps.append(create_app(dataclasses.replace(self.settings, **changes)))
        return self.apps[-1]

    def client(self, tenant: str = "default", role: str = "operator", app: Flask | None = None) -> FlaskClient:
        _, token = self.keys.create(f"{role} of {tenant}", tenant, Role(role))
        client = (app or self.app).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def close(self) -> None:
        for app in self.apps:
            app.extensions["explainery"].watcher.close()
            app.extensions["explainery"].hub.close()
