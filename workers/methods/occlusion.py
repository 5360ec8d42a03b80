"""Occlusion: a window slides over the input and hides what is under it.

Players are the atoms that the windows' borders cut out, so that every window is a coalition of absent players. Captum's
conventions: windows start at multiples of the stride, the last one is cut off at the edge, and an element's attribution is the
mean over the windows that cover it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.model_card import InputSpec
from explainery.contract.windows import Sizes, refused, window_and_stride
from workers.coalitions import Coalitions, frozen
from workers.game import Explaining, Game, Params, Partition
from workers.questions import Solution, Values
from workers.windows import cut, windows_and_atoms

SPEC = MethodSpec(
    name="occlusion",
    title="Occlusion (sliding window)",
    summary="The drop of the output when a window of the input takes its baseline values, averaged over windows.",
    asks=("values",),
    params=(
        Param(
            name="window",
            type="sizes",
            unit="elements",
            help=(
                "Window size: one for every axis it slides on (height and width, or time), or one per axis of a row; cut to "
                "the axis where it is longer. Not given: a seventh of each axis; columns and words one by one."
            ),
        ),
        Param(
            name="stride",
            type="sizes",
            unit="elements",
            help="Step of the window, in the same form; at most the window's size. Not given: half of the window.",
        ),
    ),
    calls=Calls(values="windows"),
    completeness=False,
    reference="Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
)

MOST_CELLS = 2**25
"""Windows times atoms: a table of them is kept, and multiplied with the answers."""


@dataclass(frozen=True, eq=False)
class Windows(Partition):
    """Atoms as players, what each window leaves present, bool [windows, players], and the atom of each element it saw."""

    remaining: Coalitions = field(kw_only=True)
    atoms: dict[str, NDArray[np.int64]] = field(kw_only=True)


def players(inputs: Sequence[InputSpec], shapes: Mapping[str, Sizes], params: Params) -> Windows:
    """Cut every input into atoms; a window lies in one input. Raises InvalidParameter when window or stride do not fit."""
    labels: dict[str, NDArray[np.int64]] = {}
    covers: list[NDArray[np.bool_]] = []
    for spec in inputs:
        window, stride = _fitting(spec, shapes[spec.name], params)
        atoms, covered = cut(shapes[spec.name], window, stride)
        labels[spec.name] = atoms + sum(cover.shape[1] for cover in covers)
        covers.append(covered)
    return Windows(labels, remaining=frozen(~block_diagonal(covers)), atoms=labels)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: phi of an element = mean over the windows W that cover it of v(N) - v(N without W)."""
    partition = game.partition
    if not isinstance(partition, Windows):
        raise TypeError("occlusion explains the players it made")
    without = yield Values(partition.remaining)
    hidden = ~partition.remaining
    per_atom = ((game.instance_output - without) @ hidden) / hidden.sum(axis=0)
    return Solution(per_element={name: per_atom[atoms] for name, atoms in partition.atoms.items()})


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost: every window starts an atom of its own."""
    return players


def _fitting(spec: InputSpec, shape: Sizes, params: Params) -> tuple[Sizes, Sizes]:
    """Window and stride. Raises InvalidParameter when they do not fit the input, or make too many windows."""
    window, stride = window_and_stride(spec, shape, params)
    windows, atoms = windows_and_atoms(shape, window, stride)
    if windows * atoms > MOST_CELLS:
        raise refused("stride", f"makes {windows} windows on input {spec.name}; choose a larger stride and window")
    return window, stride


def block_diagonal(tables: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The tables along the diagonal of one, False elsewhere."""
    whole = np.zeros((sum(len(table) for table in tables), sum(table.shape[1] for table in tables)), dtype=bool)
    row = column = 0
    for table in tables:
        whole[row : row + table.shape[0], column : column + table.shape[1]] = table
        row, column = row + table.shape[0], column + table.shape[1]
    return whole
