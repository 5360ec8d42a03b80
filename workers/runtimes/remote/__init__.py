"""Models served elsewhere, by the Open Inference Protocol v2 or KServe V1. Only values: the protocols carry nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from explainery.allowed_hosts import AllowList
from explainery.contract.catalogue import RuntimeSpec
from explainery.contract.errors import ModelUnloadable, RemoteRefused
from explainery.contract.model_card import ModelCard
from explainery.contract.remote_card import RemoteSpec
from explainery.settings import Settings
from workers.plugins import Place
from workers.runtimes.remote.exchange import Exchange
from workers.runtimes.remote.model import Protocolled, RemoteModel
from workers.runtimes.remote.secrets import secret_headers
from workers.runtimes.remote.v1 import ProtocolV1
from workers.runtimes.remote.v2 import ProtocolV2

SPEC = RuntimeSpec(
    name="remote",
    title="Models served elsewhere",
    formats=("remote",),
    answers=("values",),
    cannot={
        "gradients": "the model is served elsewhere, and the protocol carries outputs only",
        "internals": "the model is served elsewhere, and the protocol carries outputs only",
        "trees": "the model is served elsewhere, and the protocol carries outputs only",
    },
)
PROTOCOLS: dict[str, Callable[[ModelCard, RemoteSpec, Exchange], Protocolled]] = {"v1": ProtocolV1, "v2": ProtocolV2}


def refuses(card: ModelCard, settings: Settings) -> str | None:
    """The host must be on the operator's list, and the secrets that the card names be there."""
    remote = _remote(card)
    if not AllowList.parse(settings.remote_allowed).host(remote.host, remote.port):
        return (
            f"The worker may not call {remote.host}:{remote.port}; an operator allows it by EXPLAINERY_REMOTE_ALLOWED "
            "(host[:port], and the address too where it is a private one)."
        )
    try:
        secret_headers(remote, os.environ)
    except ValueError as error:
        return f"The model's server needs a header that this worker does not have: {error}."
    return None


def load(card: ModelCard, files: Mapping[str, bytes], place: Place) -> RemoteModel:
    """Look at the far side and be ready to ask it.

    Raises ModelUnloadable when it does not know the model or disagrees with the card, RemoteUnavailable when it is not there.
    """
    remote = _remote(card)
    exchange = Exchange(remote, secret_headers(remote, os.environ), AllowList.parse(place.settings.remote_allowed))
    try:
        return RemoteModel(card, remote, PROTOCOLS[remote.protocol](card, remote, exchange), exchange.given_up)
    except RemoteRefused as error:
        raise ModelUnloadable(f"The model's server was asked about it. {error.detail}") from None


def _remote(card: ModelCard) -> RemoteSpec:
    if card.remote is None:  # a card that was parsed has one
        raise ModelUnloadable("The card has no table [remote].")
    return card.remote
