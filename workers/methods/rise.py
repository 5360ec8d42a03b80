"""RISE: the output behind random masks, contrasted between masks that show a place and masks that hide it.

    M(i) = E[f(masked x) | i shown] - E[f(masked x) | i hidden]

The paper's map is the first term; less the second it has the same order, its zero means "makes no difference", and it is in
units of the output. Masks are coarse grids drawn smooth on pictures and series; columns and words are masked one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.model_card import InputSpec
from explainery.contract.windows import sliding
from workers.coalitions import every_coalition
from workers.game import Explaining, Game, Params, Partition
from workers.parameters import sampling
from workers.questions import Solution, Values
from workers.soft_masks import Contrast, Field, masks
from workers.stopping import Stop, asked

SPEC = MethodSpec(
    name="rise",
    title="RISE (randomized input sampling)",
    summary=(
        "How much more the output is behind random masks that show a place than behind those that hide it, with standard "
        "errors. Needs predictions only."
    ),
    asks=("values",),
    params=(
        sampling(2048, "All but these two are masks."),
        Param(
            name="cells",
            type="integer",
            default=7,
            unit="cells per axis",
            minimum=1,
            maximum=1000,
            help="Size of the coarse grid that masks are drawn on, for pictures and series.",
        ),
        Param(name="share", type="number", default=0.5, minimum=0.01, maximum=0.99, help="Odds that a cell is shown."),
    ),
    calls=Calls(
        values="2 ** places - 2 if not smooth and share == 0.5 and places > 1 and 2 ** places <= samples else samples - 2"
    ),
    completeness=False,
    random=True,
    reference="Petsiuk, Das & Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018",
)

AT_ONCE = 64
"""Masks in one question: they are as large as the picture."""
FEWEST = 2
"""Masks that make an estimate."""


@dataclass(frozen=True, eq=False)
class Places(Partition):
    """Every place of a picture or series is a player, all its channels together; other elements are players one by one."""

    fields: tuple[Field, ...] = field(kw_only=True)


def players(inputs: Sequence[InputSpec], shapes: Mapping[str, tuple[int, ...]], params: Params) -> Places:
    """Number the places through, input by input."""
    labels, fields, count = {}, [], 0
    for spec in inputs:
        shape = shapes[spec.name]
        axes = sliding(spec, shape)
        size = tuple(shape[axis] for axis in axes)
        along = [size[axes.index(axis)] if axis in axes else 1 for axis in range(len(shape))]
        place = np.arange(math.prod(size), dtype=np.int64).reshape(along)
        labels[spec.name] = np.broadcast_to(place, shape) + count
        smooth = spec.modality in ("image", "series")
        fields.append(Field(size, tuple(min(params["cells"], length) for length in size) if smooth else None))
        count += math.prod(size)
    return Places(labels, fields=tuple(fields))


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: question after question of masks, summed up as they are answered."""
    if not isinstance(game.partition, Places):
        raise TypeError("rise explains the players it made")
    fields, n, left = game.partition.fields, game.players, params["samples"] - 2
    found = Contrast(n)
    if _enumerates(fields, params["samples"], params["share"]):
        everything = every_coalition(n)
        values, more = yield from asked(Values(everything))
        if not more:  # the first of them are no fair sample
            raise Stop
        found.add(everything.astype(np.float64), values - game.baseline_output)
        found.add(np.array([np.ones(n), np.zeros(n)]), np.array([game.difference, 0.0]))
        return Solution(per_player=found.contrast(), standard_error=np.zeros(n))
    for block in range(math.ceil(left / AT_ONCE)):
        shares = masks(fields, float(params["share"]), game.seed, block, AT_ONCE)[: left - block * AT_ONCE]
        values, more = yield from asked(Values(shares))
        if values is not None:
            found.add(shares[: len(values)], values - game.baseline_output)
        if not more:
            break
    if found.count < FEWEST:
        raise Stop
    return Solution(per_player=found.contrast(), standard_error=found.standard_error())


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"]) - 2


def _enumerates(fields: tuple[Field, ...], samples: int, share: float) -> bool:
    """Whether the samples pay for every mask there is, each as likely as any other."""
    count = sum(each.players for each in fields)
    return share == 0.5 and all(each.cells is None for each in fields) and count > 1 and 2**count <= samples
