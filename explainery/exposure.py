"""Whether the API may be started as it is set: beyond this machine only with somebody at the door."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from explainery.contract.errors import SettingsInvalid
from explainery.settings import Settings, variable


def check_exposure(settings: Settings) -> None:
    """Raise SettingsInvalid where the API would answer other machines and ask nobody who they are, and says what to do."""
    if settings.auth == "off" and not is_loopback(settings.host):
        raise SettingsInvalid(
            "EXPLAINERY_HOST is not loopback, so other machines reach the API, and EXPLAINERY_AUTH is off: set "
            "EXPLAINERY_AUTH=keys and make a key with `explainery keys create`, or set EXPLAINERY_AUTH=oidc. Where "
            "something in front of it checks who comes, say so: EXPLAINERY_AUTH=off-i-know."
        )
    if "oidc" in settings.credentials:
        _check_provider(settings)
    if settings.credentials and settings.dedupe == "all":
        raise SettingsInvalid(
            "EXPLAINERY_DEDUPE=all gives one tenant's answers to others, which EXPLAINERY_AUTH is there to prevent: set it to "
            "tenant or off."
        )


def _check_provider(settings: Settings) -> None:
    if not settings.oidc_issuer or not settings.oidc_audience:
        raise SettingsInvalid("EXPLAINERY_AUTH names oidc: set EXPLAINERY_OIDC_ISSUER and EXPLAINERY_OIDC_AUDIENCE.")
    for name in ("oidc_issuer", "oidc_jwks_url"):
        if not _is_safe(getattr(settings, name)):
            raise SettingsInvalid(f"{variable(name)} must begin with https://: who is in between could put in other keys.")


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return not url or parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at `host`. A name is not looked up: but localhost, none is trusted."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
