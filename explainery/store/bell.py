"""The bell: Celery messages that say where work waits. They carry a group's name only; lost or doubled, they harm nothing."""

from __future__ import annotations

import logging

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import ChannelError, KombuError
from redis.exceptions import RedisError

from explainery.settings import Settings

QUEUE = "explainery"
DRAIN = "explainery.drain"
"""Name of the one task: `drain(group)`."""

log = logging.getLogger(__name__)


def celery_app(settings: Settings) -> Celery:
    """The Celery application, configured alike on both sides. Sends nothing and connects to nothing by itself."""
    app = Celery("explainery", broker=settings.redis_url, set_as_current=False)
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
        },
    )
    return app


class Bell:
    """Rings for groups and counts what was not answered yet. Safe to share between threads."""

    def __init__(self, settings: Settings, app: Celery | None = None) -> None:
        self._app = app or celery_app(settings)

    def ring(self, group: str) -> None:
        """Call a worker to a group. A broker that is away raises nothing: the job is in the ledger, the reaper rings again."""
        try:
            self._app.send_task(DRAIN, args=[group], queue=QUEUE, ignore_result=True)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            log.warning("bell_not_rung: %s; the reaper rings again", type(error).__name__)

    def backlog(self) -> int:
        """How many bells the broker still holds; 0 when it does not answer, so that the reaper rings rather once too often."""
        try:
            with self._app.connection_or_acquire() as connection:
                return int(connection.default_channel.queue_declare(QUEUE, passive=True).message_count)
        except ChannelError:
            return 0  # Redis has no empty lists: the queue exists while it holds a message
        except (KombuError, RedisError, OSError) as error:
            log.warning("backlog_unknown: %s", type(error).__name__)
            return 0
