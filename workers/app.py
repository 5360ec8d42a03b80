"""The Celery app of the workers: `celery -A workers.app worker`. At boot it discovers plugins and publishes the catalogue."""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from celery import signals

from explainery import settings
from explainery.store.bell import celery_app, queue_of
from workers.leaving import mind_signals
from workers.logs import configure_logs
from workers.worker import Worker, worker_id

log = structlog.get_logger()

app = celery_app(settings.load())
app.conf.imports = ("workers.tasks",)


@cache
def worker() -> Worker:
    """This process's worker. Made on first use, so that with a forking pool each child has its own."""
    made = Worker(settings.load())
    made.start()
    return made


@signals.setup_logging.connect
def _logs(**_: Any) -> None:
    configure_logs(settings.load())


@signals.celeryd_after_setup.connect
def _listen(instance: Any, **_: Any) -> None:
    """Besides the common queue each worker listens to its own: bells for a model that it has in memory."""
    instance.app.amqp.queues.select_add(queue_of(worker_id()))


@signals.worker_init.connect
def _boot(sender: Any, **_: Any) -> None:
    if _in_process(sender):
        _begin()


@signals.worker_ready.connect
def _mind_signals(sender: Any, **_: Any) -> None:
    if _in_process(sender.controller):
        mind_signals()


@signals.worker_process_init.connect
def _boot_child(**_: Any) -> None:
    _begin()


def _begin() -> None:
    """Start this process's worker, or end the process: Celery would swallow the error and listen on without a worker."""
    try:
        worker()
    except Exception as error:
        log.exception("worker_cannot_start")
        raise SystemExit(1) from error


@signals.worker_shutdown.connect
@signals.worker_process_shutdown.connect
def _leave(**_: Any) -> None:
    if worker.cache_info().currsize:
        worker().stop()
        worker.cache_clear()


def _in_process(controller: Any) -> bool:
    """Whether tasks run in this very process (solo, threads), and not in forked children."""
    return "prefork" not in str(getattr(controller, "pool_cls", ""))
