"""KServe's protocol V1, which is TensorFlow Serving's: `POST v1/models/<name>:predict`, `instances` in, `predictions` out.

Spec: KServe, "Data Plane (V1)"; TensorFlow Serving, "RESTful API" (row format, and `/versions/<n>` in the path). A model with
one input is sent each row as it is, one with several an object by input name. A prediction is a number, nested lists, or an
object by output name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from explainery.contract.errors import RemoteAnswerInvalid
from explainery.contract.model_card import ModelCard, OutputSpec
from explainery.contract.remote_card import RemoteSpec
from workers.runtimes.remote.answers import Answer, check_shape
from workers.runtimes.remote.exchange import Exchange
from workers.runtimes.remote.numbers import array_of, elements, read_object


class ProtocolV1:
    """Asks one model by protocol v1."""

    def __init__(self, card: ModelCard, remote: RemoteSpec, exchange: Exchange) -> None:
        self._card = card
        self._remote = remote
        self._exchange = exchange

    def ask(self, feeds: Mapping[str, NDArray[Any]], rows: int) -> Answer:
        """The explained output of some rows. Raises RemoteAnswerInvalid, and what Exchange raises."""
        headers = {"Content-Type": "application/json"}
        reply = self._exchange.post(f"{self._remote.path}:predict", request(self._card, feeds), headers)
        return answer(reply.body, self._card.score_output, rows)

    def look(self) -> str | None:
        """The version in the card: the protocol has no metadata to compare the card with."""
        return self._remote.version


def request(card: ModelCard, feeds: Mapping[str, NDArray[Any]]) -> bytes:
    """The body of a request. `feeds`: arrays [rows, *row] in the card's datatypes."""
    lists = {spec.name: feeds[spec.name].tolist() for spec in card.inputs}
    names = list(lists)
    if len(names) == 1:
        instances: list[Any] = lists[names[0]]
    else:
        instances = [dict(zip(names, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return json.dumps({"instances": instances}, separators=(",", ":")).encode()


def answer(body: bytes, output: OutputSpec, rows: int) -> Answer:
    """The explained output out of an answer's body: all of it, or RemoteAnswerInvalid."""
    predictions = read_object(body).get("predictions")
    if not isinstance(predictions, list):
        raise RemoteAnswerInvalid("The far side's answer has no list of predictions.")
    if all(isinstance(row, dict) for row in predictions):
        if not all(output.name in row for row in predictions):
            raise RemoteAnswerInvalid(f"The far side's predictions have no {output.name}.")
        predictions = [row[output.name] for row in predictions]
    flat, shape = elements(predictions, output.datatype)
    check_shape(shape, output, rows)
    return Answer(array_of(flat, shape, output.datatype))
