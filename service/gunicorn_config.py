"""How gunicorn runs the API; everything comes from the settings. Names are gunicorn's own."""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]  # gunicorn ships no types

from explainery.exposure import check_exposure
from explainery.settings import load
from service.logs import logging_config

_settings = load()
check_exposure(_settings)

bind = f"{_settings.host}:{_settings.port}"
# A long poll holds a thread, and threads are cheap; one process keeps one watcher and one set of counters. An event stream
# holds one, too, which sleeps: those have threads of their own, so that however many are open, the others find one.
workers = 1
worker_class = "service.gunicorn_worker.Worker"
threads = _settings.api_threads + _settings.max_streams
worker_connections = max(1000, 2 * threads)
# A client may hold an answer for max_wait_s, by a synchronous protocol for sync_limit_s;
# a stopping server gives it a few seconds, and it asks again.
timeout = 30 + int(max(_settings.max_wait_s, _settings.sync_limit_s))
graceful_timeout = 5
keepalive = 15
# As long as it may be: names in queries are written in percent signs.
limit_request_line = 8190
# The application logs each request itself, with ids and without values.
accesslog = None
logconfig_dict = logging_config(_settings)
# Heartbeats on a disk can stall a process that is well.
worker_tmp_dir = None
# Nobody steers this process over a socket.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Let event streams end when the process is asked to: they would hold it up as long as their clients like."""
    worker.wsgi.extensions["explainery"].hub.end_when(lambda: not worker.alive)


def on_starting(server: Any) -> None:
    """Keep gunicorn's name out of every answer: it has no setting for its `Server` header."""
    wsgi.SERVER = "explainery"
