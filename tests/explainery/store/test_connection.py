"""Failures of Redis, as what they mean."""

import threading

import pytest
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooSlow

from explainery.contract.errors import StoreUnavailable
from explainery.store.connection import SOCKET_TIMEOUT_S, connect, store_errors
from explainery.store.watch import LISTEN_S

TROUBLE = [
    Unreachable("refused redis://:secret@host"),
    TooSlow("secret"),
    BusyLoadingError("secret"),
    ReadOnlyError("secret"),
    OutOfMemoryError("secret"),
    ResponseError("MISCONF secret"),
    ResponseError("NOREPLICAS secret"),
]


@pytest.mark.parametrize("error", TROUBLE, ids=lambda error: type(error).__name__)
def test_trouble_with_redis_is_store_unavailable_without_secrets(error):
    with pytest.raises(StoreUnavailable) as caught, store_errors():
        raise error
    assert "secret" not in caught.value.detail


def test_a_wrong_command_stays_what_it_is():
    with pytest.raises(ResponseError, match="WRONGTYPE"), store_errors():
        raise ResponseError("WRONGTYPE key holds the wrong kind of value")


def test_no_blocking_read_outlasts_the_socket():
    assert LISTEN_S < SOCKET_TIMEOUT_S


def test_answers_are_bytes(ledger):
    ledger.redis.set("a", b"\xff\x00")
    assert ledger.redis.get("a") == b"\xff\x00"


def test_a_restart_is_ridden_out(ledger, redis_server):
    spec = ledger.admit()
    redis_server.stop()
    starter = threading.Thread(target=redis_server.start)
    starter.start()
    try:
        assert ledger.jobs.get(spec.id).id == spec.id
    finally:
        starter.join()


def test_what_was_admitted_survives_a_restart_and_the_steps_load_again(ledger, redis_server):
    claim = ledger.running()
    redis_server.stop()
    redis_server.start()
    assert ledger.jobs.renew("w1", [ledger.advance(claim, 1)]) == set()
    assert ledger.succeed(claim)


def test_a_redis_that_stays_away_is_store_unavailable(ledger, redis_server):
    redis_server.kill()
    for step in (lambda: ledger.jobs.get("x"), ledger.admit, lambda: ledger.jobs.reap(backlog=0), ledger.jobs.waiting):
        with pytest.raises(StoreUnavailable):
            step()


def test_connecting_sends_nothing(settings, redis_server):
    redis_server.kill()
    connect(settings).close()
