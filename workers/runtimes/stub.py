"""Closed-form models, shipped on purpose: for tests, examples and for trying the service without a model.

`[stub]` in the card: `form` = "linear" (weights . x + bias), "product" (weight times the product of x) or "max" (the largest
x), over all elements of all inputs in the card's order. `weights` is a list, or one list per output column. To act a slow
model, `delay_s` sleeps that long per evaluation, and `call_s` per call, however many evaluations it holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.catalogue import RuntimeSpec
from explainery.contract.errors import ModelUnloadable
from explainery.contract.model_card import ModelCard
from explainery.settings import Settings
from workers.plugins import Place

Floats = NDArray[np.float64]

SPEC = RuntimeSpec(
    name="stub",
    title="Closed-form models",
    formats=("stub",),
    answers=("values", "gradients"),
    cannot={"internals": "a closed form has no layers", "trees": "a closed form is no sum of trees"},
)


def refuses(card: ModelCard, settings: Settings) -> str | None:
    """Nothing: a stub runs no code of its file."""
    return None


def load(card: ModelCard, files: Mapping[str, bytes], place: Place) -> StubModel:
    """Build the form that the card's `[stub]` table describes."""
    options = dict(card.stub)
    form = options.pop("form", None)
    if form not in list(FORMS):
        raise ModelUnloadable(f"[stub] form must be one of {', '.join(FORMS)}.")
    unknown = sorted(set(options) - {"weights", "bias", "delay_s", "call_s"})
    if unknown:
        raise ModelUnloadable(f"[stub] does not know {', '.join(unknown)}; it takes form, weights, bias, delay_s and call_s.")
    pace = Pace(float(options.pop("call_s", 0.0)), float(options.pop("delay_s", 0.0)))
    model = StubModel(card, form, pace, **options)
    model.check([spec.row_elements for spec in card.inputs])
    return model


@dataclass(frozen=True)
class Pace:
    """How slow the stub acts."""

    call_s: float
    evaluation_s: float

    def keep(self, evaluations: int) -> None:
        """Sleep as long as a call of so many evaluations is to take."""
        if seconds := self.call_s + self.evaluation_s * evaluations:
            time.sleep(seconds)


class StubModel:
    """A closed form over the concatenated elements of all inputs."""

    xp = np
    environment: Mapping[str, str | None] = {"device": "cpu"}

    def __init__(self, card: ModelCard, form: str, pace: Pace, weights: Any = 1.0, bias: float = 0.0) -> None:
        self._names = [spec.name for spec in card.inputs]
        self._columns = card.score_output.columns or 1
        self._form = form
        self._pace = pace
        self._weights = np.asarray(weights, dtype=np.float64)
        self._bias = bias

    def check(self, elements: list[int | None]) -> None:
        """Raise ModelUnloadable when the weights do not fit the inputs, as far as their sizes are known."""
        known = [count for count in elements if count is not None]
        if len(known) < len(elements):
            return
        try:
            self._per_column(sum(known))
        except ValueError:
            raise ModelUnloadable(
                f"[stub] weights must be one number, {sum(known)} numbers, or so many for each of {self._columns} columns."
            ) from None

    def place(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array itself."""
        return array

    def fetch(self, array: NDArray[Any]) -> Floats:
        """The array as float64."""
        return np.asarray(array, dtype=np.float64)

    def forward(self, inputs: Mapping[str, NDArray[Any]]) -> Floats:
        """Outputs [points, columns]."""
        flat = self._flat(inputs)
        self._pace.keep(len(flat))
        return FORMS[self._form][0](flat, self._per_column(flat.shape[1])) + self._bias

    def gradients(self, inputs: Mapping[str, NDArray[Any]], columns: NDArray[np.int64]) -> tuple[Floats, dict[str, Floats]]:
        """Outputs [points] and closed-form gradients [points, *row]."""
        flat = self._flat(inputs)
        weights = self._per_column(flat.shape[1])
        outputs = self.forward(inputs)[np.arange(len(flat)), columns]
        gradient = FORMS[self._form][1](flat, weights[columns])
        parts: dict[str, Floats] = {}
        start = 0
        for name in self._names:
            size = int(np.prod(inputs[name].shape[1:]))
            parts[name] = gradient[:, start : start + size].reshape(inputs[name].shape)
            start += size
        return outputs, parts

    def _flat(self, inputs: Mapping[str, NDArray[Any]]) -> Floats:
        return np.concatenate([inputs[name].reshape(len(inputs[name]), -1) for name in self._names], axis=1).astype(np.float64)

    def _per_column(self, elements: int) -> Floats:
        return np.broadcast_to(self._weights, (self._columns, elements))


def _linear(flat: Floats, weights: Floats) -> Floats:
    return np.asarray(flat @ weights.T)


def _linear_gradient(flat: Floats, weights: Floats) -> Floats:
    return np.array(weights)


def _product(flat: Floats, weights: Floats) -> Floats:
    return np.asarray(flat.prod(axis=1, keepdims=True) * weights[:, 0])


def _product_gradient(flat: Floats, weights: Floats) -> Floats:
    others = np.stack([np.delete(flat, element, axis=1).prod(axis=1) for element in range(flat.shape[1])], axis=1)
    return others * weights[:, :1]


def _max(flat: Floats, weights: Floats) -> Floats:
    return np.asarray(flat.max(axis=1, keepdims=True) * weights[:, 0])


def _max_gradient(flat: Floats, weights: Floats) -> Floats:
    gradient = np.zeros_like(flat)
    gradient[np.arange(len(flat)), flat.argmax(axis=1)] = weights[:, 0]
    return gradient


FORMS = {"linear": (_linear, _linear_gradient), "product": (_product, _product_gradient), "max": (_max, _max_gradient)}
"""Name -> (output [points, columns], gradient [points, elements])."""
