"""Where a webhook may lead, and what one attempt makes of the answers."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from targets import targets

from explainery.allowed_hosts import AllowList
from explainery.contract.errors import InvalidWebhook
from explainery.courier.addresses import Target, read_target
from explainery.courier.posting import Answer, post

NOBODY = AllowList.parse([])
HERE = AllowList.parse(["127.0.0.1"])


def send(url: str, allowed: AllowList = HERE, timeout_s: float = 5.0) -> Answer:
    return post(url, {"webhook-id": "msg_1"}, b"{}", allowed, timeout_s, threading.Event())


def stands_for(monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> list[str]:
    """Let names stand for addresses, as a DNS would; gives what was looked up."""
    real, looked_up = socket.getaddrinfo, []

    def look_up(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        looked_up.append(host)
        if host in names:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]
        return real(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return looked_up


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "hooks.example.com", "", "https://", "https:///x",
        "https://user:pw@hooks.example.com/", "https://hooks.example.com/#x", "https://hooks.example.com:99999/",
        "https://hooks.example.com/a b", "https://hooks.example.com/\r\nX: y", "https://127.0.0.1/", "https://[::1]/",
        "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
        "https://100.64.0.1/", "https://0.0.0.0/",
    ],
)  # fmt: skip
def test_what_may_not_be_called_is_refused_at_the_door(url: str):
    with pytest.raises(InvalidWebhook):
        read_target(url, NOBODY)
    assert send(url, NOBODY) == Answer(None, "the address may not be called")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Hooks.Example.com", Target("https", "hooks.example.com", 443, "/")),
        ("https://hooks.example.com:8443/a?b=c", Target("https", "hooks.example.com", 8443, "/a?b=c")),
        ("https://8.8.8.8/x", Target("https", "8.8.8.8", 443, "/x")),
        ("http://127.0.0.1:9000/", Target("http", "127.0.0.1", 9000, "/")),
    ],
)
def test_what_may_be_called(url: str, target: Target):
    assert read_target(url, HERE) == target


def test_an_attempt_arrives_with_its_headers():
    with targets() as [target]:
        assert send(target.url) == Answer(204, "204")
        [(headers, body)] = target.seen
        assert (headers["webhook-id"], headers["host"], body) == ("msg_1", f"127.0.0.1:{target.port}", b"{}")


def test_a_redirect_is_not_followed():
    with targets(2) as [target, elsewhere]:
        target.answers = [(307, {"Location": elsewhere.url})]
        assert send(target.url) == Answer(307, "307")
        assert elsewhere.seen == []


def test_a_name_that_stands_for_a_private_address_is_not_called(monkeypatch: pytest.MonkeyPatch):
    """Also where only one of its addresses is private: what is checked is what the connection is made to."""
    with targets() as [target]:
        for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"]):
            looked_up = stands_for(monkeypatch, **{"hooks.test": addresses})
            answer = send(f"https://hooks.test:{target.port}/", NOBODY)
            assert answer == Answer(None, "the name stands for an address that may not be called")
            assert looked_up == ["hooks.test"]
        assert target.seen == []


def test_a_name_that_the_operator_lists_may_be_private(monkeypatch: pytest.MonkeyPatch):
    with targets() as [target]:
        stands_for(monkeypatch, **{"hooks.test": ["127.0.0.1"]})
        listed = AllowList.parse([f"hooks.test:{target.port}"])
        assert send(f"http://hooks.test:{target.port}/", listed) == Answer(204, "204")
        assert send(f"http://other.test:{target.port}/", listed).status is None


def test_who_does_not_answer_in_time_or_at_all():
    with targets() as [target]:
        target.hold.clear()
        assert send(target.url, timeout_s=0.1) == Answer(None, "no answer within 0.1 s")
        url = target.url
    assert send(url).told.startswith("cannot be reached")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch):
    def fails(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert send("https://nobody.test/") == Answer(None, "the name is not known")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0), ("soon", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("9" * 9, 86400.0),
        (f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_how_long_a_target_wants_to_be_left_alone(text: str, seconds: float):
    with targets() as [target]:
        target.answers = [(503, {"Retry-After": text})]
        assert send(target.url) == Answer(503, "503", seconds)
