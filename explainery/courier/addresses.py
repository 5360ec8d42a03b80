"""Which addresses a webhook may have. Pure but for what the connection asks when it is made: resolves no name."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from explainery.allowed_hosts import Address, AllowList, address_of
from explainery.contract.errors import InvalidWebhook


@dataclass(frozen=True)
class Target:
    """Where a webhook leads. `host` in lower case, an address without brackets; `path` with the query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Reachable:
    """Who may be called at a target: public addresses; any that the operator lists; all of a name that the operator lists."""

    allowed: AllowList
    listed: bool

    def address(self, address: Address, port: int) -> bool:
        """Whether a connection to what the target's host resolved to may be made."""
        return self.listed or self.allowed.address(address, port)


def reachable(target: Target, allowed: AllowList) -> Reachable:
    """What the connection is to check."""
    return Reachable(allowed, allowed.host(target.host, target.port))


def read_target(url: str, allowed: AllowList) -> Target:
    """Read a webhook's URL. Raises InvalidWebhook for one that is none, or that may not be called whatever it resolves to."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        raise _refused("is no URL") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused("must be a URL like https://hooks.example.com/explainery")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("must hold neither user, password nor fragment")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, port, path)
    may = reachable(target, allowed)
    if parts.scheme == "http" and not may.listed:
        raise _refused("must begin with https:// (an operator may allow others by EXPLAINERY_WEBHOOK_ALLOWED)")
    address = address_of(host)
    if address is not None and not may.address(address, port):
        raise _refused("is a private address (an operator may allow it by EXPLAINERY_WEBHOOK_ALLOWED)")
    return target


def _refused(message: str) -> InvalidWebhook:
    return InvalidWebhook(f"url {message}", [{"loc": "url", "msg": message}])
