"""Names say who may be asked, networks what may be connected to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from explainery.allowed_hosts import AllowList
from explainery.contract.errors import SettingsInvalid
from explainery.settings import load

HOSTS = [
    ("models.test", "models.test", 80, True),
    ("models.test", "models.test", 9000, True),
    ("models.test:8080", "models.test", 8080, True),
    ("models.test:8080", "models.test", 80, False),
    ("Models.TEST", "models.test", 80, True),
    ("models.test", "evil-models.test", 80, False),
    ("models.test", "a.models.test", 80, False),
    ("models.test", "models.test.evil", 80, False),
    ("*.models.test", "a.models.test", 80, True),
    ("*.models.test", "a.b.models.test", 80, True),
    ("*.models.test", "models.test", 80, False),
    ("*.models.test", "evilmodels.test", 80, False),
    ("*.models.test:443", "a.models.test", 80, False),
    ("10.0.0.0/8", "10.1.2.3", 80, True),
    ("10.0.0.0/8", "models.test", 80, False),
    ("127.0.0.1:8000", "127.0.0.1", 8000, True),
    ("127.0.0.1:8000", "127.0.0.1", 8001, False),
    ("::1", "::1", 80, True),
    ("[::1]:8000", "::1", 8000, True),
    ("[::1]:8000", "::1", 80, False),
    ("fd00::/8", "fd00::7", 80, True),
    ("127.0.0.1", "::ffff:127.0.0.1", 80, True),
    ("8.8.8.8", "8.8.8.8", 80, True),
    ("1.1.1.1", "8.8.8.8", 80, False),
]


@pytest.mark.parametrize(("entry", "host", "port", "allowed"), HOSTS)
def test_hosts_that_a_card_may_name(entry: str, host: str, port: int, allowed: bool):
    assert AllowList.parse([entry]).host(host, port) is allowed


def test_nothing_is_allowed_without_entries():
    assert not AllowList.parse(()).host("models.test", 80)


PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "224.0.0.1", "239.1.1.1", "255.255.255.255", "192.0.2.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2002:7f00:1::1",
    "64:ff9b:1::a00:1", "fec0::1", "::7f00:1", "::ffff:0:127.0.0.1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_must_be_listed(address: str):
    """Whatever the name is that stands for them."""
    assert not AllowList.parse(["models.test", "*.test", "1.2.3.0/24"]).address(ip_address(address), 80)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_need_no_entry_of_their_own(address: str):
    assert AllowList.parse(["models.test"]).address(ip_address(address), 80)


def test_a_listed_address_may_be_connected_to():
    allowed = AllowList.parse(["models.test", "10.1.0.0/16", "[::1]:8000"])
    assert allowed.address(ip_address("10.1.2.3"), 80)
    assert allowed.address(ip_address("::ffff:10.1.2.3"), 80)
    assert not allowed.address(ip_address("10.2.0.1"), 80)
    assert allowed.address(ip_address("::1"), 8000)
    assert not allowed.address(ip_address("::1"), 80)


@pytest.mark.parametrize(
    "entry", ["*", "http://models.test", "models.test:0", "models.test:99999", "models.test:x", "10.0.0.1/8", "a b", "*.*.test"]
)
def test_entries_that_are_nothing_are_refused_with_the_other_mistakes(entry: str):
    with pytest.raises(SettingsInvalid) as error:
        load({"EXPLAINERY_REMOTE_ALLOWED": f"models.test,{entry}", "EXPLAINERY_PORT": "x"})
    assert "EXPLAINERY_REMOTE_ALLOWED: " in error.value.detail
    assert "EXPLAINERY_PORT: " in error.value.detail
