"""Occlusion: a window slides over the input and hides what is under it.

Players are the atoms that the windows' borders cut out, so that every window is a coalition of absent players. Captum's
conventions: windows start at multiples of the stride, the last one is cut off at the edge, and an element's attribution is the
mean over the windows that cover it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import InputSpec
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
    completeness=False,
    reference="Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
)

SHARE = 7
"""The default window is a seventh of each axis: 32 of 224 pixels, in steps of 16."""
MOST_CELLS = 2**25
"""Windows times atoms: a table of them is kept, and multiplied with the answers."""

Sizes = tuple[int, ...]


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
        window, stride = window_and_stride(spec, shapes[spec.name], params)
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


def window_and_stride(spec: InputSpec, shape: Sizes, params: Params) -> tuple[Sizes, Sizes]:
    """Both as one size per axis of a row. Raises InvalidParameter when they do not fit the input."""
    window = _per_axis(spec, shape, params["window"], "window") or _default_window(spec, shape)
    window = tuple(min(size, length) for size, length in zip(window, shape, strict=True))
    stride = _per_axis(spec, shape, params["stride"], "stride") or tuple(math.ceil(size / 2) for size in window)
    stride = tuple(step if axis in _sliding(spec, shape) else min(step, window[axis]) for axis, step in enumerate(stride))
    if any(step > size for step, size in zip(stride, window, strict=True)):
        raise _refused("stride", f"must be at most the window, or elements of input {spec.name} are never hidden")
    windows, atoms = windows_and_atoms(shape, window, stride)
    if windows * atoms > MOST_CELLS:
        raise _refused("stride", f"makes {windows} windows on input {spec.name}; choose a larger stride and window")
    return window, stride


def block_diagonal(tables: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The tables along the diagonal of one, False elsewhere."""
    whole = np.zeros((sum(len(table) for table in tables), sum(table.shape[1] for table in tables)), dtype=bool)
    row = column = 0
    for table in tables:
        whole[row : row + table.shape[0], column : column + table.shape[1]] = table
        row, column = row + table.shape[0], column + table.shape[1]
    return whole


def _per_axis(spec: InputSpec, shape: Sizes, given: Any, name: str) -> Sizes | None:
    """A size per axis of a row: axes that the window does not slide on are covered whole."""
    if given is None:
        return None
    slides = _sliding(spec, shape)
    sizes = [given] * len(slides) if isinstance(given, int) else list(given)
    if len(sizes) == len(shape):
        return tuple(sizes)
    if len(sizes) != len(slides):
        raise _refused(name, f"needs {len(slides)} or {len(shape)} sizes for input {spec.name}, or one for all")
    placed = dict(zip(slides, sizes, strict=True))
    return tuple(placed.get(axis, length) for axis, length in enumerate(shape))


def _default_window(spec: InputSpec, shape: Sizes) -> Sizes:
    """A seventh of each axis, two at least; words one by one, and a table's columns, where neighbours mean nothing."""
    if spec.modality in ("tabular", "text"):
        return tuple(1 for _ in shape)
    slides = _sliding(spec, shape)
    return tuple(max(2, round(length / SHARE)) if axis in slides else length for axis, length in enumerate(shape))


def _sliding(spec: InputSpec, shape: Sizes) -> Sizes:
    """The axes of a row that the window slides on: height and width, time, or all."""
    if spec.modality == "image":
        return tuple(str(spec.layout).index(axis) - 1 for axis in "HW")
    if spec.modality == "series":
        return (str(spec.layout or "NT").index("T") - 1,)
    return tuple(range(len(shape)))


def _refused(name: str, message: str) -> InvalidParameter:
    return InvalidParameter(f"params.{name} {message}.", [{"loc": f"params.{name}", "msg": message}])
