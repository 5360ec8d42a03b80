"""How messages to webhooks are signed, by Standard Webhooks 1.0: with a shared secret, or with a key whose half is public."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Literal

Signing = Literal["hmac", "ed25519"]
SECRET = "whsec_"  # noqa: S105  what a shared secret begins with
PRIVATE, PUBLIC = "whsk_", "whpk_"
KEY_BYTES = 32


def new_key(signing: Signing) -> str:
    """A new secret for HMAC-SHA256, or a new private key for Ed25519 (RFC 8032)."""
    return (SECRET if signing == "hmac" else PRIVATE) + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def signing_of(key: str) -> Signing:
    """What a key is for."""
    return "ed25519" if key.startswith(PRIVATE) else "hmac"


def shown(key: str) -> dict[str, str]:
    """What a receiver needs to check signatures: the `secret` itself, or the `public_key` of a private one."""
    if key.startswith(SECRET):
        return {"secret": key}
    return {"public_key": PUBLIC + base64.b64encode(_private(key).public_key().public_bytes_raw()).decode()}


def signature(key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a message: scheme v1 with a secret, v1a with a private key."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    if key.startswith(PRIVATE):
        return "v1a," + base64.b64encode(_private(key).sign(signed)).decode()
    secret = base64.b64decode(key.removeprefix(SECRET))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def _private(key: str):  # type: ignore[no-untyped-def]  # its type comes with the package, which few who import this need
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.removeprefix(PRIVATE)))
