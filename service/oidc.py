"""Tokens of an identity provider (OpenID Connect): signed by its keys, issued for us, and naming a tenant and a role.

Specs: RFC 7519 (JWT), RFC 7517 (JWK), OpenID Connect Discovery 1.0. Keys are fetched from the address that the settings name,
or from the one that the issuer's own document names at the same origin; nothing that a token says is ever followed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from explainery.contract.access import Role
from explainery.contract.errors import Forbidden, IdentityProviderUnavailable, Unauthenticated
from explainery.contract.job import is_tenant
from explainery.settings import Settings

KEPT_S = 3600.0
"""How long the provider's keys are believed without looking again."""
FLOOR_S = 30.0
"""Least time between two looks: tokens with made-up key ids must not make us call the provider each time."""
TIMEOUT_S, LONGEST_S = 5.0, 10.0
"""Longest silence of the provider, and longest that it may take to tell one document."""
MOST_BYTES = 2**20
LEEWAY_S = 30
"""How far the provider's clock may be from ours."""
LONGEST_TOKEN = 16384
DISCOVERY = "/.well-known/openid-configuration"
RANK = (Role.MONITOR, Role.VIEWER, Role.SUBMITTER, Role.OPERATOR)


class Verifier:
    """Says whose a token is. Threads may share one."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def identify(self, token: str) -> tuple[str, Role, float]:
        """Tenant and role of a token, and when it is over (Unix time).

        Raises Unauthenticated, Forbidden, IdentityProviderUnavailable.
        """
        claims = self._claims(token)
        tenant = _claim(claims, self._settings.oidc_tenant_claim)
        if not isinstance(tenant, str) or not is_tenant(tenant):
            raise Forbidden(f"Your token names no tenant: it needs the claim {self._settings.oidc_tenant_claim}.")
        role = _role(_claim(claims, self._settings.oidc_role_claim))
        if role is None:
            roles = ", ".join(RANK)
            raise Forbidden(f"Your token names no role: it needs the claim {self._settings.oidc_role_claim}, one of {roles}.")
        return tenant, role, float(claims["exp"]) + LEEWAY_S

    def _claims(self, token: str) -> Mapping[str, Any]:
        import jwt

        settings = self._settings
        if len(token) > LONGEST_TOKEN:
            raise _bad("is too long")
        try:
            head = jwt.get_unverified_header(token)
            algorithm = head.get("alg")
            if algorithm not in settings.oidc_algorithms:
                raise _bad("is signed in a way that is not taken here")
            key = self._key(head.get("kid"), algorithm)
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.oidc_audience,
                issuer=settings.oidc_issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise _bad("has expired") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _bad("is none, or not of the issuer and for the audience that are asked for here") from None

    def _key(self, kid: Any, algorithm: str) -> Any:
        """The provider's key of that id, for that algorithm. Raises Unauthenticated, jwt.PyJWTError."""
        import jwt

        if kid is not None and not isinstance(kid, str):
            raise _bad("names its key in a way that is no text")
        found = self._known(kid)
        if found is None or found.get("alg", algorithm) != algorithm or found.get("use", "sig") != "sig":
            raise _bad("is signed by no key of the issuer")
        if found.get("kty") not in ("RSA", "EC", "OKP"):
            raise _bad("is signed by no public key of the issuer")
        return jwt.PyJWK(found, algorithm)

    def _known(self, kid: str | None) -> dict[str, Any] | None:
        """A key by its id; the only one there is, for a token that names none. Looks again for one that is not known.

        One thread looks at a time. Who knows the key does not wait for it: a provider that hangs would hold up everybody.
        """
        if self._lock.acquire(blocking=self._found(kid) is None):
            try:
                self._look(kid)
            finally:
                self._lock.release()
        if not self._keys:
            raise IdentityProviderUnavailable("The identity provider's keys cannot be had just now; try again soon.")
        return self._found(kid)

    def _look(self, kid: str | None) -> None:
        now = self._clock()
        stale, unknown = now - self._fetched_at > KEPT_S, self._found(kid) is None
        if (stale or unknown) and now - self._tried_at > FLOOR_S:
            self._tried_at = now
            self._refresh(now)

    def _found(self, kid: str | None) -> dict[str, Any] | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _refresh(self, now: float) -> None:
        """Fetch the keys; those there are stay where that fails."""
        try:
            listed = _fetched(self._keys_url())["keys"]
            self._keys = {str(key.get("kid", number)): key for number, key in enumerate(listed) if isinstance(key, dict)}
            self._fetched_at = now
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            if not self._keys:
                raise IdentityProviderUnavailable(
                    "The identity provider's keys cannot be fetched; an operator looks at EXPLAINERY_OIDC_ISSUER and "
                    "EXPLAINERY_OIDC_JWKS_URL."
                ) from None

    def _keys_url(self) -> str:
        if self._settings.oidc_jwks_url:
            return self._settings.oidc_jwks_url
        issuer = self._settings.oidc_issuer
        told = _fetched(issuer.rstrip("/") + DISCOVERY)
        url = str(told["jwks_uri"])
        if told["issuer"] != issuer or urlsplit(url)[:2] != urlsplit(issuer)[:2]:
            raise ValueError("the issuer's document names another issuer, or keys at another origin")
        return url


def _fetched(url: str) -> dict[str, Any]:
    """A JSON object from an address, not from where it redirects. Raises httpx.HTTPError, ValueError."""
    with httpx.stream("GET", url, timeout=TIMEOUT_S, follow_redirects=False, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"answered {answer.status_code}")
        body, ends = b"", time.monotonic() + LONGEST_S
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES or time.monotonic() > ends:
                raise ValueError("answered too much, or too slowly")
    import orjson

    told = orjson.loads(body)
    if not isinstance(told, dict):
        raise ValueError("answered no object")  # noqa: TRY004  of the other side, not of ours
    return told


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by names with dots between: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _role(said: Any) -> Role | None:
    """The highest of the roles that a claim names: a text, with blanks between several, or a list. Others are nothing to us."""
    names = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    return max((role for role in RANK if role.value in names), key=RANK.index, default=None)


def _bad(what: str) -> Unauthenticated:
    return Unauthenticated(f"The token {what}; get a new one.", given=True)
