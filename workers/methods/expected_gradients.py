"""Expected Gradients (GradientSHAP): integrated gradients averaged over a background set, by sampling both at once.

    phi = mean over baselines b and alpha in (0, 1) of (x - b) * df/dx at b + alpha (x - b)

Samples come in rounds. In a round alpha goes along a scrambled van der Corput sequence, so that 2^k of them are one in each of
as many equal parts of (0, 1), and baselines are dealt out evenly along it. Rounds are scrambled apart, so their spread is the
standard error; what their sums miss f(x) - f(b) by corrects them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.parameters import TOLERANCE
from workers.questions import Floats, Gradients, Solution
from workers.standard_errors import Summing, relative_error
from workers.stopping import Stop, asked
from workers.van_der_corput import plain, scrambled

SPEC = MethodSpec(
    name="expected_gradients",
    title="Expected Gradients (GradientSHAP)",
    summary=(
        "Integrated gradients averaged over a background set, from samples of baseline and place on the path, with standard "
        "errors. With one baseline: integrated gradients, which integrated_gradients has more exactly."
    ),
    asks=("gradients",),
    params=(
        Param(
            name="samples",
            type="integer",
            default=512,
            unit="gradient evaluations",
            minimum=4,
            maximum=1_000_000,
            help="Gradient evaluations a row may cost, in all: each takes one baseline of the background set.",
        ),
        TOLERANCE,
    ),
    calls=Calls(gradients="samples", adaptive="1", least="samples // min(samples, 16) * min(samples, 8)"),
    completeness=True,
    random=True,
    one_baseline=True,
    reference=(
        "Erion, Janizek, Sturmfels, Lundberg & Lee, Improving performance of deep learning models with axiomatic attribution "
        "priors and expected gradients, Nature Machine Intelligence 2021"
    ),
)

ROUNDS = 16
FEWEST = 8
"""Rounds before the tolerance is looked at."""
_ADVICE = "The standard errors are above the tolerance; raise samples, or accept a larger tolerance."


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: round after round until the standard errors are small enough."""
    tolerance, found, error, more = params["tolerance"], Summing(game.difference), np.inf, True
    shapes: dict[str, tuple[int, ...]] = {}
    for question in rounds(params["samples"], game.backgrounds, game.seed, game.shares):
        answer, more = yield from asked(question)
        if not more:  # a round of fewer places than the others is none
            break
        shapes = {name: part.shape for name, part in answer.sums.items()}
        found.add(np.concatenate([part.reshape(-1) for part in answer.sums.values()]))
        spread = found.standard_error()
        error = np.inf if spread is None else relative_error(found.mean, spread, game)
        if found.count >= FEWEST and error <= tolerance:
            break
    spread = found.standard_error()
    if spread is None and not more:
        raise Stop
    converged = bool(error <= tolerance) if tolerance or error == 0 else None
    return Solution(
        per_element=_parted(found.mean, shapes),
        standard_error=None if spread is None else _parted(spread, shapes),
        error=float(error) if np.isfinite(error) else None,
        converged=converged,
        notes=(_ADVICE,) if converged is False else (),
    )


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"])


def rounds(samples: int, backgrounds: int, seed: int, shares: Floats | None = None) -> Iterator[Gradients]:
    """The questions of a row: rounds of equal size, alike for every row of a job.

    From `ROUNDS` to twice as many, so that a round has 2^k places, or where it has room for all baselines 2^k of each. Its
    places are the first of a sequence that belongs to it alone: more samples keep those of fewer.
    """
    unit = backgrounds if samples // ROUNDS >= backgrounds else 1
    size = unit << max((samples // unit // ROUNDS).bit_length() - 1, 0)
    deck = generator(seed, "expected_gradients/deck").permutation(backgrounds)
    turns = np.arange(size)
    for number in range(samples // size):
        alphas = scrambled(turns + _skipped(turns, backgrounds), seed, f"expected_gradients/{number}")
        start = int(backgrounds * plain(number))  # wherever it ends, rounds begin all over the deck
        dealt = deck[(start + turns) % backgrounds]
        weights = np.full(size, 1 / size) if shares is None else shares[dealt] * backgrounds / size
        yield Gradients(alphas, weights, factor="difference", baselines=dealt)


def _skipped(turns: NDArray[np.int64], backgrounds: int) -> NDArray[np.int64]:
    """Places left out before each turn: with an odd number between a baseline's visits, each baseline has the whole path."""
    return turns // backgrounds if backgrounds % 2 == 0 else np.zeros_like(turns)


def _parted(flat: Floats, shapes: dict[str, tuple[int, ...]]) -> dict[str, Floats]:
    """One array per input again."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
