"""Whether the API may be started as it is set: beyond this machine only with somebody at the door."""

from __future__ import annotations

import ipaddress

from explainery.contract.errors import SettingsInvalid
from explainery.settings import Settings


def check_exposure(settings: Settings) -> None:
    """Raise SettingsInvalid where the API would answer other machines and ask nobody who they are, and says what to do."""
    if settings.auth == "off" and not is_loopback(settings.host):
        raise SettingsInvalid(
            "EXPLAINERY_HOST is not loopback, so other machines reach the API, and EXPLAINERY_AUTH is off: set "
            "EXPLAINERY_AUTH=keys and make a key with `explainery keys create`, or set EXPLAINERY_AUTH=oidc. Where "
            "something in front of it checks who comes, say so: EXPLAINERY_AUTH=off-i-know."
        )
    if settings.credentials and settings.dedupe == "all":
        raise SettingsInvalid(
            "EXPLAINERY_DEDUPE=all gives one tenant's answers to others, which EXPLAINERY_AUTH is there to prevent: set it to "
            "tenant or off."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at `host`. A name is not looked up: but localhost, none is trusted."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
