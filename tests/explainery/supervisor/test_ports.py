from __future__ import annotations

import socket

import pytest

from explainery.supervisor.failures import CannotStart
from explainery.supervisor.ports import address, free_port, is_free, listen


def test_a_busy_port_is_refused_with_what_to_do():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} on 127.0.0.1 is busy.*EXPLAINERY_PORT"):
            listen("127.0.0.1", port)
        assert not is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_refused():
    with pytest.raises(CannotStart, match="EXPLAINERY_HOST"):
        listen("192.0.2.1", free_port())


def test_the_address_is_one_a_client_can_use():
    with listen("0.0.0.0", 0) as everywhere:  # noqa: S104
        assert address(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
        with socket.create_connection(("127.0.0.1", everywhere.getsockname()[1]), timeout=5):
            pass
