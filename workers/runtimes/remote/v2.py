"""The Open Inference Protocol, version 2, over HTTP: JSON tensors, and the binary tensor extension.

Spec: kserve/open-inference-protocol, inference_rest.md; the extension is in `explainery/contract/binary_tensors.py`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract import binary_tensors
from explainery.contract.binary_tensors import HEADER, SIZE, Misfit, bytes_of, parted, pieces
from explainery.contract.errors import ModelUnloadable, RemoteAnswerInvalid
from explainery.contract.model_card import ModelCard, OutputSpec
from explainery.contract.remote_card import RemoteSpec
from workers.runtimes.remote.answers import Answer, check_shape
from workers.runtimes.remote.exchange import Exchange, Reply
from workers.runtimes.remote.numbers import array_of, elements, read_object


class ProtocolV2:
    """Asks one model by protocol v2."""

    def __init__(self, card: ModelCard, remote: RemoteSpec, exchange: Exchange) -> None:
        self._card = card
        self._remote = remote
        self._exchange = exchange
        self._ids = itertools.count(1)

    def ask(self, feeds: Mapping[str, NDArray[Any]], rows: int) -> Answer:
        """The explained output of some rows. Raises RemoteAnswerInvalid, and what Exchange raises."""
        request_id = f"{next(self._ids):x}"
        body, headers = request(self._card, feeds, request_id, binary=self._remote.binary)
        return answer(
            self._exchange.post(f"{self._remote.path}/infer", body, headers), self._card.score_output, rows, request_id
        )

    def look(self) -> str | None:
        """Compare what the far side says of the model with the card; its version, where it has just one.

        Raises ModelUnloadable where they disagree, and what Exchange raises.
        """
        metadata = read_object(self._exchange.get(self._remote.path).body)
        check_tensors("input", {spec.name: spec.datatype for spec in self._card.inputs}, metadata.get("inputs"), exact=True)
        score = self._card.score_output
        check_tensors("output", {score.name: score.datatype}, metadata.get("outputs"), exact=False)
        return agreed_version(metadata.get("versions"), self._remote.version)


def request(
    card: ModelCard, feeds: Mapping[str, NDArray[Any]], request_id: str, *, binary: bool
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request for the explained output. `feeds`: arrays [rows, *row] in the card's datatypes."""
    tails = []
    inputs: list[dict[str, Any]] = []
    for spec in card.inputs:
        array = feeds[spec.name]
        tensor: dict[str, Any] = {"name": spec.name, "shape": list(array.shape), "datatype": spec.datatype}
        if binary:
            tails.append(bytes_of(array))
            tensor["parameters"] = {SIZE: len(tails[-1])}
        else:
            tensor["data"] = array.reshape(-1).tolist()
        inputs.append(tensor)
    output = {"name": card.score_output.name, "parameters": {"binary_data": binary}}
    head = json.dumps({"id": request_id, "inputs": inputs, "outputs": [output]}, separators=(",", ":")).encode()
    if not binary:
        return head, {"Content-Type": "application/json"}
    return b"".join([head, *tails]), {"Content-Type": binary_tensors.MEDIA_TYPE, HEADER: str(len(head))}


def answer(reply: Reply, output: OutputSpec, rows: int, request_id: str) -> Answer:
    """The explained output out of a reply: all of it, or RemoteAnswerInvalid."""
    try:
        head, tail = parted(reply.body, reply.headers.get(HEADER.lower()))
    except Misfit as misfit:
        raise RemoteAnswerInvalid(f"The far side's answer {misfit}.") from None
    document = read_object(head)
    if document.get("id", request_id) not in (request_id, ""):  # some servers answer an empty one
        raise RemoteAnswerInvalid("The far side answered another request than the one it was asked.")
    tensors = document.get("outputs")
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise RemoteAnswerInvalid("The far side's answer has no list of outputs.")
    try:
        parts = pieces(tensors, tail)
    except Misfit as misfit:
        raise RemoteAnswerInvalid(f"The far side's answer {misfit}.") from None
    named = [index for index, tensor in enumerate(tensors) if tensor.get("name") == output.name]
    if len(named) != 1:
        raise RemoteAnswerInvalid(f"The far side's answer has {len(named)} outputs called {output.name}, not one.")
    values = _values(tensors[named[0]], parts[named[0]], output, rows)
    version = document.get("model_version")
    return Answer(values, str(version)[:64] if isinstance(version, (str, int)) and version != "" else None)


def _values(tensor: dict[str, Any], piece: bytes | None, output: OutputSpec, rows: int) -> NDArray[np.float64]:
    if tensor.get("datatype") != output.datatype:
        raise RemoteAnswerInvalid(f"The far side's output {output.name} is not {output.datatype}, as the card says.")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise RemoteAnswerInvalid(f"The far side's output {output.name} has no shape.")
    check_shape(tuple(shape), output, rows)
    if piece is None:
        flat, nesting = elements(tensor.get("data"), output.datatype)
        if len(nesting) != 1 and nesting != tuple(shape):
            raise RemoteAnswerInvalid(
                f"The data of the far side's output {output.name} is nested otherwise than its shape says."
            )
        return array_of(flat, tuple(shape), output.datatype)
    try:
        return binary_tensors.array_of(piece, output.datatype, shape).astype(np.float64)
    except Misfit as misfit:
        raise RemoteAnswerInvalid(f"The far side's output {output.name} {misfit}.") from None


def check_tensors(what: str, card: Mapping[str, str], told: Any, *, exact: bool) -> None:
    """Compare names and datatypes with the far side's metadata, as far as that has any. Raises ModelUnloadable."""
    known = {tensor.get("name"): tensor.get("datatype") for tensor in told or () if isinstance(tensor, dict)}
    if not known:
        return
    missing = sorted(set(card) - set(known))
    if missing or (exact and len(known) > len(card)):
        named = f"the {what} {', '.join(missing)}" if missing else f"the number of its {what}s"
        raise ModelUnloadable(f"Card and far side disagree on {named}; correct the card.")
    for name, datatype in card.items():
        if known[name] != datatype:
            raise ModelUnloadable(f"The card says {datatype} of {what} {name}, the far side something else; correct the card.")


def agreed_version(told: Any, wanted: str | None) -> str | None:
    """The version that will answer, where it can be known. Raises ModelUnloadable when the card's is not there."""
    versions = [str(version) for version in told] if isinstance(told, list) else []
    if wanted is not None:
        if versions and wanted not in versions:
            raise ModelUnloadable(f"The far side does not have version {wanted} of the model; correct version in [remote].")
        return wanted
    return versions[0] if len(versions) == 1 else None
