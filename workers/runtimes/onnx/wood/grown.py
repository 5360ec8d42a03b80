"""What a file makes of trees: a forest, the function behind its sum where there is one, and the columns that are put out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from workers.forest import Forest, Numbers, side_by_side
from workers.questions import Floats
from workers.runtimes.onnx.refusal import Untranslatable

Link = Literal["logistic", "softmax"]
FUNCTIONS = {"logistic": expit, "softmax": lambda margins: softmax(margins, axis=1)}


@dataclass(frozen=True, eq=False)
class Grown:
    """`link(forest)`, of which the columns `picked` are put out, in that order; all of them where it is None.

    The sums of the trees are called margins where a link follows.
    """

    forest: Forest
    link: Link | None = None
    picked: Numbers | None = None

    @cached_property
    def columns(self) -> Numbers:
        """The forest's column of each column that is put out."""
        return np.arange(self.forest.columns) if self.picked is None else self.picked

    def predict(self, rows: NDArray[np.floating]) -> Floats:
        """Outputs [rows, columns]."""
        sums = self.forest.predict(rows)
        return np.asarray(sums if self.link is None else FUNCTIONS[self.link](sums))[:, self.columns]

    def margins(self, rows: NDArray[np.floating], columns: Numbers) -> Floats:
        """The sum of the trees behind output `columns` [rows] at `rows`, [rows]."""
        return self.forest.predict(rows)[np.arange(len(rows)), self.columns[columns]]

    def chosen(self, columns: Numbers) -> Grown:
        """Some columns, by number; -1 is the last."""
        try:
            return replace(self, picked=self.columns[columns])
        except IndexError:
            raise Untranslatable("behind the trees a column is taken that they do not have") from None

    def mixed(self, matrix: Floats, shift: Floats, what: str) -> Grown:
        """`outputs @ matrix + shift`, of sums. Raises Untranslatable where a link was applied before."""
        if self.link is not None:
            raise Untranslatable(f"{what} follows the {self.link} function behind the trees")
        plain = np.eye(self.forest.columns)[:, self.columns]
        return Grown(self.forest.mixed(plain @ matrix, shift))

    def opposite(self) -> Grown | None:
        """1 minus what a logistic function makes: that of the negative sums. None where there is no such function."""
        if self.link != "logistic":
            return None
        return Grown(self.forest.mixed(-np.eye(self.forest.columns)[:, self.columns], np.zeros(len(self.columns))), self.link)


def beside(parts: Sequence[Grown]) -> Grown:
    """The columns of all, side by side. Raises Untranslatable where not all are made in one way, by themselves."""
    links = {part.link for part in parts}
    if len(links) > 1 or "softmax" in links:
        raise Untranslatable("sums of trees and what functions make of them are put side by side")
    forests, start, columns = [part.forest for part in parts], 0, list[Any]()
    for part in parts:
        columns.append(start + part.columns)
        start += part.forest.columns
    return Grown(side_by_side(forests), parts[0].link, np.concatenate(columns))
