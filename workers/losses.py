"""How wrong outputs are: against the truth of each row, or against what the model itself said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import OutputSpec
from explainery.contract.tables import class_of
from workers.outcomes import Classes, classes_of
from workers.questions import Floats

LOSSES = ("auto", "error", "squared", "absolute", "log")
SMALLEST = 1e-15
"""A probability counts as at least this, or one certain mistake would outweigh all else."""


@dataclass(frozen=True, eq=False)
class Loss:
    """The mean loss of outputs [rows, columns]. `truth`: classes or numbers; None: what the model said at first.

    `column`: the one explained, of an output that is a number.
    """

    name: str
    output: OutputSpec
    classes: Classes | None
    column: int
    truth: NDArray[np.float64] | None
    said: Floats

    def __call__(self, outputs: Floats) -> float:
        """The mean over the rows."""
        if self.name == "error" and self.classes is not None:
            right = self.classes.of(self.said) if self.truth is None else self.truth
            return float((self.classes.of(outputs) != right).mean())
        if self.name == "log":
            return float(-np.log(np.maximum(self._chance(outputs), SMALLEST)).mean())
        off = np.abs(outputs - self._aim(outputs.shape[1])) if self.classes is not None else np.abs(self._off(outputs))
        return float((off**2 if self.name == "squared" else off).reshape(len(outputs), -1).sum(axis=1).mean())

    def _off(self, outputs: Floats) -> Floats:
        right = self.said[:, self.column] if self.truth is None else self.truth
        return np.asarray(outputs[:, self.column] - right)

    def _aim(self, columns: int) -> Floats:
        """What the outputs should be: the model's own, or 1 for the true class and 0 for the others."""
        if self.truth is None:
            return self.said
        return self.truth[:, None] if columns == 1 else np.asarray(self.truth[:, None] == np.arange(columns)).astype(np.float64)

    def _chance(self, outputs: Floats) -> Floats:
        """The probability of the true class."""
        assert self.truth is not None  # noqa: S101  # `loss_of` has looked
        single, true = outputs.shape[1] == 1, self.truth.astype(np.int64)
        if self.output.kind == "logits":
            both = np.concatenate([np.zeros_like(outputs), outputs], axis=1) if single else outputs
            powers = np.exp(both - both.max(axis=1, keepdims=True))
            outputs = powers / powers.sum(axis=1, keepdims=True)
        elif single:
            outputs = np.concatenate([1 - outputs, outputs], axis=1)
        return np.asarray(outputs[np.arange(len(outputs)), true])


def loss_of(name: str, output: OutputSpec, column: int, truth: Sequence[float | str] | None, said: Floats) -> Loss:
    """The loss that is asked for. Raises InvalidParameter where it does not fit the output."""
    classes = classes_of(output)
    known = None
    if truth is not None:
        known = np.array([class_of(entry, classes.names) if classes else entry for entry in truth], dtype=np.float64)
    if name == "auto":
        name = "error" if classes is not None and known is not None else "squared"
    if name == "error" and classes is None:
        raise _refused(f"error counts wrong classes, and output {output.name} is a number: take squared or absolute")
    if name == "log" and (known is None or classes is None or output.kind not in ("probabilities", "logits")):
        raise _refused("log needs the truth, and an output of probabilities or logits")
    if name in ("squared", "absolute") and classes is not None and known is not None and output.kind != "probabilities":
        raise _refused(f"{name} against the truth needs an output of probabilities: take error or log")
    return Loss(name, output, classes, column, known, said)


def _refused(message: str) -> InvalidParameter:
    return InvalidParameter(f"params.loss: {message}.", [{"loc": "params.loss", "msg": message}])
