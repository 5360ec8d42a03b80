"""What `redis_url` may say besides one server: `sentinel://host1:port1,host2:port2,host3:port3/service/db`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote, urlsplit

from explainery.contract.errors import SettingsInvalid

SCHEME = "sentinel://"
SENTINEL_PORT = 26379
_SHAPE = "sentinel://host1:port1,host2:port2,host3:port3/service/db"


@dataclass(frozen=True)
class Sentinels:
    """Sentinels that know where the primary of `service` is. The passwords: of the servers, and of the sentinels themselves."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)

    @property
    def broker_url(self) -> str:
        """The same for Celery, which wants one URL per sentinel; the service's name is a transport option there."""
        secret = "" if self.password is None else f"{quote(self.username or '', '')}:{quote(self.password, '')}@"
        return ";".join(f"{SCHEME}{secret}{_bracketed(host)}:{port}/{self.db}" for host, port in self.hosts)


def sentinels(url: str) -> Sentinels | None:
    """The sentinels a URL names; None for the URL of a server. Raises SettingsInvalid for one that cannot be read."""
    if not url.startswith(SCHEME):
        return None
    parts = urlsplit(url)
    secret, _, hosts = parts.netloc.rpartition("@")
    username, _, password = map(unquote, secret.partition(":"))
    service, _, db = parts.path.strip("/").partition("/")
    own = parse_qs(parts.query).get("sentinel_password", [None])[0]
    try:
        found = tuple(_host(entry) for entry in hosts.split(","))
        number = int(db or 0)
    except ValueError:
        raise _unreadable() from None
    if not service or "/" in service or number < 0:
        raise _unreadable()
    return Sentinels(found, unquote(service), number, username or None, password or None, own)


def _host(entry: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[v6]:port`. Raises ValueError."""
    place = urlsplit(f"//{entry}")
    if not place.hostname:
        raise ValueError
    return place.hostname, place.port or SENTINEL_PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _unreadable() -> SettingsInvalid:
    return SettingsInvalid(f"EXPLAINERY_REDIS_URL cannot be read; with Sentinel it must be like {_SHAPE}")
