"""Expected Gradients (GradientSHAP): integrated gradients averaged over a background set, by sampling both at once.

    phi = mean over baselines b and alpha in (0, 1) of (x - b) * df/dx at b + alpha (x - b)

Samples come in rounds. In a round alpha is drawn once in each of as many equal parts of (0, 1), and baselines are dealt out
evenly along it. Rounds are drawn apart, so their spread is the standard error; what their sums miss f(x) - f(b) by corrects
them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.questions import Floats, GradientAnswer, Gradients, Solution
from workers.standard_errors import Summing, relative_error

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
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the attributions' range",
            minimum=0,
            maximum=1,
            help="Stop when the largest standard error is at most this share of the attributions' range; 0: use all samples.",
        ),
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
    tolerance, found, error = params["tolerance"], Summing(game.difference), np.inf
    shapes: dict[str, tuple[int, ...]] = {}
    for question in rounds(params["samples"], game.backgrounds, game.seed):
        answer: GradientAnswer = yield question
        shapes = {name: part.shape for name, part in answer.sums.items()}
        found.add(np.concatenate([part.reshape(-1) for part in answer.sums.values()]))
        spread = found.standard_error()
        error = np.inf if spread is None else relative_error(found.mean, spread, game)
        if found.count >= FEWEST and error <= tolerance:
            break
    spread = found.standard_error()
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


def rounds(samples: int, backgrounds: int, seed: int) -> Iterator[Gradients]:
    """The questions of a row: rounds of equal size, alike for every row of a job.

    Places on the path ascend and baselines are dealt from one shuffled deck after another, so where a round has room for all
    baselines, each gets as many places as any other, spread over the path.
    """
    count = min(samples, ROUNDS)
    size = samples // count
    size -= size % backgrounds if size > backgrounds else 0
    deck = np.zeros(0, dtype=np.int64)
    for number in range(count):
        random = generator(seed, f"expected_gradients/{number}")
        while len(deck) < size:
            deck = np.append(deck, random.permutation(backgrounds))
        dealt, deck = deck[:size], deck[size:]
        alphas = (np.arange(size) + random.random(size)) / size
        yield Gradients(alphas, np.full(size, 1 / size), factor="difference", baselines=dealt)


def _parted(flat: Floats, shapes: dict[str, tuple[int, ...]]) -> dict[str, Floats]:
    """One array per input again."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
