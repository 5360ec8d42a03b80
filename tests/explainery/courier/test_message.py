"""What is sent: signed as Standard Webhooks has it, with the attributes of CloudEvents beside it."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from explainery.contract.events import JobEvent
from explainery.contract.signatures import new_key, shown, signature
from explainery.courier.message import body_of, headers_of
from explainery.store.webhooks import Errand

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  published with the specification
EVENT = JobEvent(id=None, job="01K", what="succeeded", revision=3, at_ms=1764132190123)
ERRAND = Errand("wh_1", "msg_01K_3", "https://a.example/", (SECRET,), 0, EVENT.type, EVENT, EVENT.at_ms, 1)


def test_the_published_vector():
    """Of the reference libraries of Standard Webhooks."""
    told = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_has_as_many_bytes_as_the_specification_wants():
    first, second = new_key("hmac"), new_key("hmac")
    assert first != second
    assert first.startswith("whsec_")
    assert 24 <= len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) <= 64


def test_the_body_is_thin_and_always_the_same():
    body = body_of(ERRAND)
    assert body == body_of(ERRAND)
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("explanation.succeeded", "2025-11-26T04:43:10.123Z")
    assert set(told["data"]) == {"id", "status", "revision", "links"}
    assert told["data"]["links"]["result"] == "/v1/explanations/01K/result"


def test_the_headers_of_both_specifications():
    body = body_of(ERRAND)
    headers = headers_of(ERRAND, body, 1700000000)
    assert headers["webhook-id"] == headers["ce-id"] == "msg_01K_3"
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-signature"] == signature(SECRET, "msg_01K_3", 1700000000, body)
    attributes = {name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")}
    assert attributes == {
        "specversion": "1.0", "id": "msg_01K_3", "source": "/v1/explanations", "type": "explanation.succeeded",
        "subject": "01K", "time": "2025-11-26T04:43:10.123Z",
    }  # fmt: skip
    assert "." not in headers["webhook-id"]  # what separates the parts of what is signed
    later = headers_of(ERRAND, body, 1700000001)
    assert later["webhook-id"] == headers["webhook-id"]
    assert later["webhook-signature"] != headers["webhook-signature"]


def test_a_public_key_checks_what_its_private_one_signs() -> None:
    """Scheme v1a, and test vector 1 of RFC 8032: what the key of a seed signs, its public half knows."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    known = shown("whsk_" + base64.b64encode(bytes.fromhex(seed)).decode())["public_key"]
    public = base64.b64decode(known.removeprefix("whpk_"))
    assert public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    key = new_key("ed25519")
    public = base64.b64decode(shown(key)["public_key"].removeprefix("whpk_"))
    scheme, told = signature(key, "msg_1", 1614265330, b"{}").split(",")
    assert scheme == "v1a"
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(told), b"msg_1.1614265330.{}")
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(told), b"msg_2.1614265330.{}")
    assert set(shown(key)) == {"public_key"}


def test_while_a_secret_goes_out_of_use_both_sign():
    old, new = new_key("hmac"), new_key("ed25519")
    body = body_of(ERRAND)
    told = headers_of(dataclasses.replace(ERRAND, secrets=(new, old)), body, 1700000000)["webhook-signature"]
    assert told.split(" ") == [signature(secret, "msg_01K_3", 1700000000, body) for secret in (new, old)]
    assert [each.partition(",")[0] for each in told.split(" ")] == ["v1a", "v1"]
