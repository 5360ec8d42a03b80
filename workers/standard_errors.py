"""How sure a sampled answer is: standard errors from independent rounds, and the figure that `tolerance` is compared with."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t as student

from workers.game import Game
from workers.questions import Floats

RESOLUTION = 1e-5
"""Attributions that differ by less than this share of the outputs are not told apart: models compute in single precision."""
TWO_SIDED = 0.975
NORMAL = 1.959964


def relative_error(phi: Floats, spread: Floats, game: Game) -> float:
    """Largest standard error over the range of the attributions, zero included (Covert & Lee's criterion)."""
    return share_of_range(phi, spread, RESOLUTION * max(abs(game.instance_output), abs(game.baseline_output)))


def share_of_range(phi: Floats, spread: Floats, least: float = 0.0) -> float:
    """The same, of a range that counts as `least` at the least; infinite where there is none to compare with."""
    scale = max(float(np.max(phi, initial=0.0) - np.min(phi, initial=0.0)), least)
    largest = float(np.max(spread, initial=0.0))
    if not largest:
        return 0.0
    return largest / scale if scale else math.inf


def widening(degrees: float | Floats) -> Floats:
    """What standard errors with so many degrees of freedom are multiplied with, so that 1.96 of them hold 95 % (Student)."""
    return np.asarray(student.ppf(TWO_SIDED, np.maximum(degrees, 1)) / NORMAL)


class Rounds:
    """Mean and standard error over rounds that are drawn alike and apart (Welford; Chan, Golub & LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Floats = np.zeros(())
        self._squares: Floats = np.zeros(())

    def add(self, rounds: Floats) -> None:
        """Take in estimates [rounds, ...]."""
        many, mean = len(rounds), rounds.mean(axis=0)
        away = mean - self.mean
        self._squares = self._squares + ((rounds - mean) ** 2).sum(axis=0)
        self._squares = self._squares + away**2 * (self.count * many / (self.count + many))
        self.mean = self.mean + away * (many / (self.count + many))
        self.count += many

    def standard_error(self, shared: int = 0) -> Floats | None:
        """Of the mean, shaped like it; None from a single round.

        Widened for few rounds, so that 1.96 of them to either side hold the truth 95 % of the time (Student's t). `shared`:
        how many rounds' worth the mean variance over all elements counts beside each one's own; few rounds may by luck all
        agree on an element.
        """
        if self.count < 2:
            return None
        own = self.count - 1
        squares = self._squares + shared * self._squares.mean() / own
        return np.asarray(widening(own + shared) * np.sqrt(squares / ((own + shared) * self.count)))


class Summing:
    """Rounds whose elements should sum to a known total: what they miss by tells where they err (a control variate).

    The correction of an element is its regression on the sum over the rounds, so the corrected mean sums to the total.
    """

    def __init__(self, total: float) -> None:
        self.count = 0
        self._total = total
        self._mean: Floats = np.zeros(0)
        self._squares: Floats = np.zeros(0)
        self._sum = self._sum_squares = 0.0
        self._joint: Floats = np.zeros(0)

    def add(self, one: Floats) -> None:
        """Take in a round's estimate, [elements]."""
        self.count += 1
        if self.count == 1:
            self._mean, self._squares, self._joint = np.zeros(one.shape), np.zeros(one.shape), np.zeros(one.shape)
        before, sum_before = one - self._mean, float(one.sum()) - self._sum
        self._mean = self._mean + before / self.count
        self._sum += sum_before / self.count
        sum_after = float(one.sum()) - self._sum
        self._squares += before * (one - self._mean)
        self._joint += before * sum_after
        self._sum_squares += sum_before * sum_after

    @property
    def mean(self) -> Floats:
        """The corrected mean, [elements]; from fewer than four rounds the plain one."""
        return self._mean - self._slope * (self._sum - self._total)

    def standard_error(self) -> Floats | None:
        """Of the mean, widened as that of `Rounds`; None from a single round."""
        own = self.count - (2 if self._corrects else 1)
        if own < 1:
            return None
        rest = np.maximum(self._squares - self._slope * self._joint, 0)
        reach = self.count * (self._sum - self._total) ** 2 / self._sum_squares if self._corrects else 0.0
        return np.asarray(widening(own) * np.sqrt(rest * (1 + reach) / (own * self.count)))

    @property
    def _corrects(self) -> bool:
        return self.count >= 4 and self._sum_squares > 0

    @property
    def _slope(self) -> Floats:
        return self._joint / self._sum_squares if self._corrects else np.zeros(self._joint.shape)
