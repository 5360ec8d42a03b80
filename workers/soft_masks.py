"""Random masks for RISE: coarse grids of present and absent cells, drawn large and smooth on pictures and series.

Where an input has no space (columns, words) each player is present or absent by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from workers.coalitions import frozen
from workers.draws import generator
from workers.questions import Floats


@dataclass(frozen=True)
class Field:
    """The players of one input: `size` in space (rows and columns, or steps), `cells` of the coarse grid on each axis.

    Without cells, every one of them is drawn by itself.
    """

    size: tuple[int, ...]
    cells: tuple[int, ...] | None

    @property
    def players(self) -> int:
        """How many there are."""
        return int(np.prod(self.size))


@lru_cache(maxsize=4)
def masks(fields: tuple[Field, ...], share: float, seed: int, block: int, count: int) -> Floats:
    """Block number `block` of `count` masks over all fields, [count, players]: shares of the instance's value in 0 .. 1."""
    random = generator(seed, f"rise/{block}")
    return frozen(np.concatenate([_of_field(field, share, random, count) for field in fields], axis=1))


def _of_field(field: Field, share: float, random: np.random.Generator, count: int) -> Floats:
    if field.cells is None:
        return (random.random((count, field.players)) < share).astype(np.float64)
    mask = (random.random((count, *(cells + 2 for cells in field.cells))) < share).astype(np.float64)
    for axis, (length, cells) in enumerate(zip(field.size, field.cells, strict=True)):
        mask = _stretched(mask, 1 + axis, length, cells, random.random(count))
    return mask.reshape(count, -1)


def _stretched(mask: Floats, axis: int, length: int, cells: int, shift: Floats) -> Floats:
    """One axis of cells + 2 nodes interpolated to `length` places, each mask shifted by a part of a cell of its own.

    So every place has the same distribution, whatever it is from the border.
    """
    places = (np.arange(length) + 0.5) * cells / length + shift[:, None]  # in 0 .. cells + 1
    hats = np.maximum(1 - np.abs(places[:, :, None] - np.arange(cells + 2)), 0)  # [masks, length, nodes]
    moved = np.moveaxis(mask, axis, 1)
    flat = hats @ moved.reshape(len(mask), cells + 2, -1)
    return np.moveaxis(flat.reshape(len(mask), length, *moved.shape[2:]), 1, axis)


class Contrast:
    """What the output is where a player is present, less what it is where it is absent, from masks and values as they come.

    E[f M] / E[M] - E[f (1 - M)] / E[1 - M]: RISE's map, centred, so that it is 0 where presence makes no difference. Kept are
    the sums over the masks that this and its standard error (by linearisation) need.
    """

    def __init__(self, players: int) -> None:
        self._plain = np.zeros(3)
        self._with = np.zeros((3, players))
        self._squared = np.zeros((3, players))

    @property
    def count(self) -> int:
        """Masks taken in."""
        return int(self._plain[0])

    def add(self, shares: Floats, values: Floats) -> None:
        """Take in masks [count, players] and the values behind them (less a constant near them: they are squared)."""
        powers = np.stack([np.ones(len(values)), values, values**2])
        self._plain += powers.sum(axis=1)
        self._with += powers @ shares
        self._squared += powers @ shares**2

    def contrast(self) -> Floats:
        """[players]; 0 for a player that was always present, or never."""
        present, absent = self._means()
        return np.asarray(present - absent)

    def standard_error(self) -> Floats:
        """[players], for masks that were drawn apart.

        To what the masks say is added, on either side, the variance of one mask more: a player that was present, or absent, in
        a single mask or in none would be certain otherwise. Of many masks it is nothing.
        """
        shown, hidden = self._with[0], self._plain[0] - self._with[0]
        varied = (shown > 0) & (hidden > 0)
        shown, hidden = np.where(varied, shown, 1), np.where(varied, hidden, 1)
        present, absent = self._means()
        # each mask moves the contrast by M (c f - d) - (f - absent) / hidden
        c, d, back = 1 / shown + 1 / hidden, present / shown + absent / hidden, 1 / hidden
        first = c**2 * self._squared[2] - 2 * c * d * self._squared[1] + d**2 * self._squared[0]
        mixed = c * self._with[2] - (d + c * absent) * self._with[1] + d * absent * self._with[0]
        last = self._plain[2] - 2 * absent * self._plain[1] + absent**2 * self._plain[0]
        said = np.maximum(np.where(varied, first - 2 * back * mixed + back**2 * last, 0), 0)
        return np.asarray(np.sqrt(said + self._variance() * self._more()))

    def _variance(self) -> float:
        """Of the outputs."""
        count, total, squares = self._plain
        return float(max(squares - total**2 / count, 0) / (count - 1)) if count > 1 else 0.0

    def _more(self) -> Floats:
        """Of one mask more: 1 by the square of the masks that there are, counted by what they show and hide of each player."""
        count, shown, squared = self._plain[0], self._with[0], self._squared[0]
        sides = ((shown, squared), (count - shown, count - 2 * shown + squared))
        return np.asarray(sum(1 / np.maximum(side**2 / np.where(of > 0, of, 1), 1) ** 2 for side, of in sides))

    def _means(self) -> tuple[Floats, Floats]:
        """The mean output where each player is present, and where it is absent."""
        shown, hidden = self._with[0], self._plain[0] - self._with[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            present, absent = self._with[1] / shown, (self._plain[1] - self._with[1]) / hidden
        varied = (shown > 0) & (hidden > 0)
        return np.where(varied, present, 0), np.where(varied, absent, 0)
