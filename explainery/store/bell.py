"""The bell: Celery messages that wake a worker. They say only whom they are for; lost or doubled, they harm nothing.

Each worker listens to a queue of its own besides the common one: a job on a model that one has in memory wakes that one.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import ChannelError, KombuError
from redis.exceptions import RedisError

from explainery.settings import Settings
from explainery.store.addresses import sentinels

QUEUE = "explainery"
DRAIN = "explainery.drain"
"""Name of the one task: `drain(whom)`."""
ANYBODY = "any"
"""Whom a bell is for that any worker may answer."""


def queue_of(whom: str) -> str:
    """The Celery queue of bells for a worker, or for anybody."""
    return QUEUE if whom == ANYBODY else f"{QUEUE}.{whom}"


log = logging.getLogger(__name__)


def celery_app(settings: Settings) -> Celery:
    """The Celery application, configured alike on both sides. Sends nothing and connects to nothing by itself."""
    broker, options = _broker(settings.redis_url)
    app = Celery("explainery", broker=broker, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        # The record in Redis is the truth; a result backend would be a second one that loses results.
        result_backend=None,
        task_ignore_result=True,
        # A bell may be lost, a doubled job may not: late acknowledgement runs long tasks again and poison tasks for ever.
        task_acks_late=False,
        # A worker that hoards bells keeps idle ones asleep; disabled, it fetches a bell only when it can answer it.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        # JSON only: unpickling a message would run code from it.
        task_serializer="json",
        accept_content=["json"],
        # A worker outlives any absence of Redis, at its start as well as later.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        # An API thread waits for a bell for moments only: the reaper rings again.
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.02, "interval_step": 0.1, "interval_max": 0.1},
        broker_transport_options={
            # A half-open connection is noticed in seconds: without these a worker stays deaf.
            "socket_timeout": 3,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 2,
            # The lock on giving back unacknowledged messages frees itself when its holder died.
            "unacked_mutex_expire": 5,
            **options,
        },
    )
    return app


def _broker(url: str) -> tuple[str, dict[str, Any]]:
    """Celery's URL for the broker, and the transport options that go with it."""
    named = sentinels(url)
    if named is None:
        return url, {}
    own = {"socket_timeout": 1, "socket_connect_timeout": 1}
    secret = {} if named.sentinel_password is None else {"password": named.sentinel_password}
    return named.broker_url, {"master_name": named.service, "sentinel_kwargs": own | secret}


class Bell:
    """Rings and counts what was not answered yet. Safe to share between threads."""

    def __init__(self, settings: Settings, app: Celery | None = None) -> None:
        self._app = app or celery_app(settings)

    def ring(self, whom: str | None) -> None:
        """Call a worker, or anybody; None calls nobody.

        A broker that is away raises nothing: the job is in the ledger, the reaper rings again.
        """
        if whom is None:
            return
        try:
            self._app.send_task(DRAIN, args=[whom], queue=queue_of(whom), ignore_result=True)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            log.warning("bell_not_rung: %s; the reaper rings again", type(error).__name__)

    def backlog(self) -> int:
        """How many bells for anybody the broker still holds; 0 when it does not answer: rather a bell too many."""
        try:
            with self._app.connection_or_acquire() as connection:
                return int(connection.default_channel.queue_declare(QUEUE, passive=True).message_count)
        except ChannelError:
            return 0  # Redis has no empty lists: the queue exists while it holds a message
        except (KombuError, RedisError, OSError) as error:
            log.warning("backlog_unknown: %s", type(error).__name__)
            return 0
