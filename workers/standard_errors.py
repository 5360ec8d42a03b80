"""How sure a sampled answer is: standard errors from independent rounds, and the figure that `tolerance` is compared with."""

from __future__ import annotations

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
    outputs = max(abs(game.instance_output), abs(game.baseline_output))
    scale = max(float(np.max(phi, initial=0.0) - np.min(phi, initial=0.0)), RESOLUTION * outputs)
    largest = float(spread.max())
    return largest / scale if largest else 0.0


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
        wide = float(student.ppf(TWO_SIDED, own + shared)) / NORMAL
        return np.asarray(wide * np.sqrt(squares / ((own + shared) * self.count)))
