"""Tokens of an identity provider: a real one over HTTP, with real signatures."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from explainery.contract.access import Role
from explainery.contract.errors import SettingsInvalid
from explainery.exposure import check_exposure
from explainery.settings import Settings, load
from service import oidc

JOBS = "/v1/explanations"
AUDIENCE = "explainery"


RSA, EC = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
SOMEBODY = rsa.generate_private_key(65537, 2048)


class Provider:
    """An identity provider of our own: discovery, keys, tokens."""

    def __init__(self) -> None:
        self.rsa, self.ec = RSA, EC
        self.keys = {"one": RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True)}
        self.asked: list[str] = []
        self.documents: dict[str, Any] = {}
        self.redirect = self.broken = self.trickles = False
        self.hold = threading.Event()
        self.hold.set()
        self.slowly = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                provider.hold.wait(10)
                if provider.broken or provider.redirect:
                    self.send_response(302 if provider.redirect else 500)
                    self.send_header("Location", f"{provider.issuer}/keys2")
                    self.end_headers()
                    return
                body = json.dumps(provider.document(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked may have had enough
                    for byte in body if provider.trickles else ():
                        self.wfile.write(bytes([byte]))
                        provider.slowly.wait(0.02)
                    self.wfile.write(b"" if provider.trickles else body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def document(self, path: str) -> Any:
        if path in self.documents:
            return self.documents[path]
        if path == oidc.DISCOVERY:
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        return {"keys": [{**key, "kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    def token(self, kid: str | None = "one", key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        good = {"iss": self.issuer, "aud": AUDIENCE, "exp": time.time() + 600, "tenant": "acme", "role": "submitter"}
        told = {name: value for name, value in (good | claims).items() if value is not None}
        return jwt.encode(told, self.rsa if key is None else key, algorithm, headers=None if kid is None else {"kid": kid})


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client(guarded: Any, provider: Provider) -> FlaskClient:
    app = guarded.serve(auth="keys,oidc", oidc_issuer=provider.issuer, oidc_audience=AUDIENCE)
    return app.test_client()


def ask(client: FlaskClient, token: str, path: str = JOBS) -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def refused(answer: Any, status: int = 401, code: str = "unauthenticated") -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text


def test_a_token_names_tenant_and_role(client: FlaskClient, provider: Provider, loan: dict[str, Any]) -> None:
    shown = {"Authorization": f"Bearer {provider.token()}"}
    job = client.post(JOBS, json=loan, headers=shown).json
    assert job["tenant"] == "acme"
    refused(client.delete(job["links"]["self"], headers=shown), 403, "forbidden")
    refused(ask(client, provider.token(tenant="other"), job["links"]["self"]), 404, "job_not_found")
    assert ask(client, provider.token(role="viewer"), job["links"]["self"]).status_code == 200


def test_keys_still_open_where_both_are_taken(client: FlaskClient, guarded: Any) -> None:
    _, token = guarded.keys.create("k", "acme", Role.VIEWER)
    assert ask(client, token).status_code == 200


def test_without_keys_a_key_is_no_token(guarded: Any, provider: Provider) -> None:
    app = guarded.serve(auth="oidc", oidc_issuer=provider.issuer, oidc_audience=AUDIENCE)
    _, token = guarded.keys.create("k", "acme", Role.VIEWER)
    refused(ask(app.test_client(), token))
    assert ask(app.test_client(), provider.token()).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another service"},
        {"aud": None},
        {"iss": "https://elsewhere.example.com"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": 2**40},
    ],
    ids=str,
)
def test_who_it_is_from_and_for_and_how_long_all_count(client: FlaskClient, provider: Provider, claims: dict[str, Any]) -> None:
    refused(ask(client, provider.token(**claims)))


def unsigned(provider: Provider) -> str:
    return provider.token(key="", algorithm="none")


def signed_by_somebody(provider: Provider) -> str:
    return provider.token(key=SOMEBODY)


def signed_with_the_public_key_as_a_password(provider: Provider) -> str:
    """The oldest trick: HS256 with what everybody can read."""
    public = provider.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims)
    )
    signature = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def of_another_algorithm(provider: Provider) -> str:
    return provider.token(algorithm="RS512")


def cut_short(provider: Provider) -> str:
    return provider.token()[:-4]


def endless(provider: Provider) -> str:
    return provider.token(padding="x" * 20000)


@pytest.mark.parametrize(
    "forge",
    [unsigned, signed_by_somebody, signed_with_the_public_key_as_a_password, of_another_algorithm, cut_short, endless],
    ids=lambda forge: forge.__name__,
)
def test_forged_tokens_are_refused_and_not_repeated(client: FlaskClient, provider: Provider, forge: Any) -> None:
    token = forge(provider)
    answer = ask(client, token)
    refused(answer)
    assert token not in answer.text
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"tenant": None}, 403),
        ({"tenant": "a:b"}, 403),
        ({"tenant": ["acme"]}, 403),
        ({"role": None}, 403),
        ({"role": "king"}, 403),
        ({"role": ["staff", "viewer"]}, 200),
        ({"role": "openid viewer"}, 200),
        ({"role": {"viewer": True}}, 403),
    ],
    ids=str,
)
def test_a_token_without_tenant_or_role_may_nothing(
    client: FlaskClient, provider: Provider, claims: dict[str, Any], status: int
) -> None:
    assert ask(client, provider.token(**claims)).status_code == status


def test_claims_may_lie_inside_others(guarded: Any, provider: Provider) -> None:
    where = {"oidc_tenant_claim": "https://acme.example.com/tenant", "oidc_role_claim": "realm_access.roles"}
    app = guarded.serve(auth="oidc", oidc_issuer=provider.issuer, oidc_audience=AUDIENCE, **where)
    claims = {"https://acme.example.com/tenant": "acme", "realm_access": {"roles": ["viewer", "operator"]}}
    assert ask(app.test_client(), provider.token(tenant=None, role=None, **claims), "/metrics").status_code == 200


def test_keys_are_fetched_once_and_again_for_an_unknown_one_but_not_each_time(
    client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert ask(client, provider.token()).status_code == 200
    assert provider.asked == [oidc.DISCOVERY, "/keys"]
    provider.keys["two"] = ECAlgorithm.to_jwk(provider.ec.public_key(), as_dict=True)
    new = provider.token("two", provider.ec, "ES256")
    for _ in range(3):
        refused(ask(client, new))  # it was looked a moment ago
    assert len(provider.asked) == 2
    monkeypatch.setattr(oidc, "FLOOR_S", 0.0)
    assert ask(client, new).status_code == 200
    assert len(provider.asked) == 4


def test_a_key_that_the_provider_has_taken_back_opens_nothing(
    client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client, provider.token()).status_code == 200
    provider.keys = {"two": ECAlgorithm.to_jwk(provider.ec.public_key(), as_dict=True)}
    monkeypatch.setattr(oidc, "FLOOR_S", 0.0)
    monkeypatch.setattr(oidc, "KEPT_S", 0.0)
    refused(ask(client, provider.token()))


def test_a_provider_that_is_away_is_503_and_known_keys_go_on(
    client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.broken = True
    answer = ask(client, provider.token())
    refused(answer, 503, "identity_provider_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    provider.broken = False
    monkeypatch.setattr(oidc, "FLOOR_S", 0.0)
    assert ask(client, provider.token()).status_code == 200
    provider.broken = True
    monkeypatch.setattr(oidc, "KEPT_S", 0.0)
    assert ask(client, provider.token()).status_code == 200


def test_who_shows_a_known_key_does_not_wait_for_a_provider_that_hangs(
    settings: Settings, provider: Provider, until: Any
) -> None:
    now = 0.0
    asked = dataclasses.replace(settings, oidc_issuer=provider.issuer, oidc_audience=AUDIENCE)
    verifier = oidc.Verifier(asked, lambda: now)
    who = ("acme", Role.SUBMITTER)
    assert verifier.identify(provider.token())[:2] == who
    now, looks = oidc.KEPT_S + 1, len(provider.asked)
    provider.hold.clear()
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(verifier.identify, provider.token())
        until(lambda: len(provider.asked) > looks)
        try:
            assert pool.submit(verifier.identify, provider.token()).result(3)[:2] == who
        finally:
            provider.hold.set()
        assert looking.result(5)[:2] == who


def test_a_provider_that_trickles_is_away(client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "LONGEST_S", 0.05)
    provider.trickles = True
    refused(ask(client, provider.token()), 503, "identity_provider_unavailable")


def test_a_redirect_is_not_followed(client: FlaskClient, provider: Provider) -> None:
    provider.redirect = True
    refused(ask(client, provider.token()), 503, "identity_provider_unavailable")
    assert provider.asked == [oidc.DISCOVERY]


@pytest.mark.parametrize(
    "told", [{"jwks_uri": "http://127.0.0.1:1/keys"}, {"issuer": "https://elsewhere.example.com"}], ids=str
)
def test_keys_of_another_origin_are_not_fetched_unless_a_setting_says_so(
    guarded: Any, provider: Provider, client: FlaskClient, told: dict[str, str]
) -> None:
    document = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys"}
    provider.documents[oidc.DISCOVERY] = document | told
    refused(ask(client, provider.token()), 503, "identity_provider_unavailable")
    keys = {"oidc_jwks_url": f"{provider.issuer}/keys"}
    app = guarded.serve(auth="oidc", oidc_issuer=provider.issuer, oidc_audience=AUDIENCE, **keys)
    assert ask(app.test_client(), provider.token()).status_code == 200


def test_a_token_without_a_key_id_is_of_the_only_key(client: FlaskClient, provider: Provider) -> None:
    assert ask(client, provider.token(None)).status_code == 200


def test_what_oidc_needs_is_asked_for_at_the_start() -> None:
    complete = Settings(auth="oidc", oidc_issuer="https://id.example.com", oidc_audience=AUDIENCE)
    check_exposure(complete)
    for change in (
        {"oidc_issuer": ""},
        {"oidc_audience": ""},
        {"oidc_issuer": "http://id.example.com"},
        {"oidc_jwks_url": "ftp://x"},
    ):
        with pytest.raises(SettingsInvalid, match="OIDC"):
            check_exposure(dataclasses.replace(complete, **change))
    for name in ("HS256", "none"):
        with pytest.raises(SettingsInvalid, match="with a public key"):
            load({"EXPLAINERY_OIDC_ALGORITHMS": f"RS256,{name}"})
