"""Which hosts a worker may call for remote models: an operator's list, `EXPLAINERY_REMOTE_ALLOWED`. Pure: resolves no name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is routed on the open internet (RFC 4291). What lies outside and carries no IPv4 address is somebody's own:
site-local addresses, or a translation to IPv4 inside a network (RFC 8215), which Python counts as global."""


@dataclass(frozen=True)
class AllowList:
    """Hosts by name (`models.example.com`, `*.example.com`) and by address (`10.1.0.0/16`, `127.0.0.1`); a port of each or all.

    A name allows what it resolves to only where that is a public address. Any other address (private, loopback, link-local...)
    must itself be on the list.
    """

    names: tuple[tuple[str, int | None], ...]
    networks: tuple[tuple[Network, int | None], ...]

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AllowList:
        """Read the setting's entries. Raises ValueError naming the one that is wrong."""
        names, networks = [], []
        for entry in entries:
            host, port = _split(entry.lower())
            network = _network(host)
            if network is not None:
                networks.append((network, port))
            elif _NAME.fullmatch(host):
                names.append((host, port))
            else:
                raise ValueError(f"{entry!r} is no host[:port], *.domain[:port], address or network")
        return cls(tuple(names), tuple(networks))

    def host(self, host: str, port: int) -> bool:
        """Whether a card may name this host and port (lower case; an address without brackets)."""
        address = address_of(host)
        if address is not None:
            return self._listed(address, port)
        return any(_is(host, name) and allowed in (None, port) for name, allowed in self.names)

    def address(self, address: Address, port: int) -> bool:
        """Whether a connection to what an allowed host resolved to may be made."""
        return all(is_public(part) or self._listed(part, port) for part in (address, *embedded(address)))

    def _listed(self, address: Address, port: int) -> bool:
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network and allowed in (None, port) for network, allowed in self.networks)


def address_of(host: str) -> Address | None:
    """The address that a host is written as, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, shared, reserved or multicast."""
    routed = isinstance(address, ipaddress.IPv4Address) or address in _GLOBAL_UNICAST or bool(embedded(address))
    return routed and address.is_global and not address.is_multicast


def embedded(address: Address) -> tuple[Address, ...]:
    """The IPv4 addresses that an IPv6 address may be carried on to (mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(part for part in inner if part is not None)


def _is(host: str, name: str) -> bool:
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _split(entry: str) -> tuple[str, int | None]:
    """Host and port of an entry; an IPv6 address with a port is in brackets. Raises ValueError."""
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", entry)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        host, port = entry, None
    if port is None:
        return host, None
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{entry!r} has no port between 1 and 65535")
    return host, int(port)


def _network(host: str) -> Network | None:
    """A network or address; None for a name. Raises ValueError for a network with bits set behind its prefix."""
    if "/" not in host and address_of(host) is None:
        return None
    return ipaddress.ip_network(host)
