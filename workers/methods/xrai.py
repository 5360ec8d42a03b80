"""XRAI: integrated gradients given to regions of the picture, best region first.

The picture is cut into overlapping regions of several sizes. The region whose not yet taken pixels have the highest mean
attribution is taken, again and again, until every pixel has a region; its pixels share what they sum to. So the regions are
ranked, and attributions still sum to the output difference.
"""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, InputView, Params
from workers.quadrature import max_steps, refined, tolerance
from workers.questions import Floats, Gradients, Map, Solution
from workers.segments import Labels, planes, regions

SPEC = MethodSpec(
    name="xrai",
    title="XRAI (integrated gradients by region)",
    summary=(
        "Integrated gradients summed over regions that look alike, and the map of the regions in the order in which they "
        "matter. Choose a baseline that is not in the picture, or average over a black and a white one as a background."
    ),
    asks=("gradients",),
    params=(tolerance("the output difference"), max_steps(1)),
    calls=Calls(gradients="max_steps", adaptive="tolerance > 0 and max_steps >= 48", least="16"),
    completeness=True,
    modality="image",
    reference="Kapishnikov, Bolukbasi, Viegas & Terry, XRAI: Better Attributions Through Regions, ICCV 2019",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: integrated gradients, shared out by region; the maps "ranks" say each pixel's region's place."""
    best = yield from refined(
        lambda alphas, weights: Gradients(alphas, weights, factor="difference"),
        lambda answer: answer.sums,
        game.difference,
        params["max_steps"],
        params["tolerance"],
    )
    shared, maps = {}, []
    for view in game.inputs:
        axis = _channels(view)
        flat = best.attribution[view.name].sum(axis=axis, keepdims=True) if axis is not None else best.attribution[view.name]
        pixels = flat.squeeze(axis) if axis is not None else flat
        picture = planes(game.numbers().instance[view.name], str(view.layout))
        shares, ranks = ranked(pixels, regions(picture))
        channels = 1 if axis is None else view.shape[axis]
        spread = shares if axis is None else np.expand_dims(shares, axis)
        shared[view.name] = np.broadcast_to(spread / channels, view.shape).copy()
        name = "ranks" if len(game.inputs) == 1 else f"ranks.{view.name}"
        maps.append(Map(name, ranks.astype(np.float64), ("row", "column")))
    return Solution(per_element=shared, maps=tuple(maps), error=best.error, converged=best.converged, notes=best.notes)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])


def ranked(pixels: Floats, cuts: Labels) -> tuple[Floats, Labels]:
    """Each pixel's share of its region, and the place at which its region was taken, from 1, both [height, width].

    `pixels`: attribution of each, [height, width]. `cuts`: region of each pixel in each cut, [cuts, height, width].
    """
    values, of = pixels.reshape(-1), cuts.reshape(len(cuts), -1)
    free = np.ones(values.size, dtype=bool)
    shares, ranks = np.zeros(values.size), np.zeros(values.size, dtype=np.int64)
    sums = np.bincount(of.reshape(-1), np.tile(values, len(of)))
    sizes = np.bincount(of.reshape(-1))
    place = 0
    while free.any():
        gain = np.divide(sums, sizes, out=np.full(len(sums), -np.inf), where=sizes > 0)
        first = int(gain.argmax())
        taken, place = (of == first).any(axis=0) & free, place + 1
        shares[taken], ranks[taken] = values[taken].mean(), place
        free &= ~taken
        gone = of[:, taken].reshape(-1)
        sums = sums - np.bincount(gone, np.tile(values[taken], len(of)), len(sums))
        sizes = sizes - np.bincount(gone, minlength=len(sizes))
    return shares.reshape(pixels.shape), ranks.reshape(pixels.shape)


def _channels(view: InputView) -> int | None:
    return str(view.layout).index("C") - 1 if "C" in str(view.layout) else None
