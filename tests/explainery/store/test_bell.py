"""The bell, on a real broker."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from explainery.store.bell import ANYBODY, DRAIN, QUEUE, Bell, celery_app, queue_of


@pytest.fixture
def bell(settings):
    app = celery_app(settings)
    yield Bell(settings, app)
    app.close()


def test_nothing_was_rung_on_a_fresh_broker(bell):
    assert bell.backlog() == 0


def test_a_bell_carries_the_name_of_its_task_and_whom_it_is_for_and_nothing_else(bell, ledger):
    bell.ring(ANYBODY)
    assert bell.backlog() == 1
    message = json.loads(ledger.redis.lindex(QUEUE, 0))
    assert message["headers"]["task"] == DRAIN
    assert message["content-type"] == "application/json"
    assert message["headers"]["argsrepr"] == "['any']"
    assert message["headers"]["ignore_result"] is True


def test_a_bell_for_a_worker_lies_in_its_own_queue_and_one_for_nobody_is_none(bell, ledger):
    bell.ring("w1")
    bell.ring(None)
    assert bell.backlog() == 0
    assert ledger.redis.llen(queue_of("w1")) == 1


def test_threads_may_ring_together(bell):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bell.ring, [ANYBODY] * 40))
    assert bell.backlog() == 40


def test_without_a_broker_ringing_fails_nothing_and_says_so(bell, redis_server, caplog):
    redis_server.kill()
    with caplog.at_level(logging.WARNING):
        bell.ring(ANYBODY)
        assert bell.backlog() == 0
    assert [record.message.split(":")[0] for record in caplog.records] == ["bell_not_rung", "backlog_unknown"]


def test_after_a_restart_of_the_broker_the_next_bell_is_rung(bell, redis_server):
    bell.ring(ANYBODY)
    redis_server.stop()
    redis_server.start()
    bell.ring(ANYBODY)
    assert bell.backlog() == 2


def test_the_settings_that_mattered_are_set(settings):
    conf = celery_app(settings).conf
    assert (conf.task_acks_late, conf.task_ignore_result, conf.result_backend) == (False, True, None)
    assert (conf.worker_prefetch_multiplier, conf.worker_disable_prefetch) == (1, True)
    assert (conf.task_serializer, list(conf.accept_content)) == ("json", ["json"])
    assert (conf.broker_connection_retry_on_startup, conf.broker_connection_max_retries) == (True, None)
    assert conf.broker_transport_options == {
        "socket_timeout": 3,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 2,
        "unacked_mutex_expire": 5,
    }
