"""What a method may ask of a model. Questions are small descriptions; what they describe is built on the device.

A method yields one question and is sent its answer (one that answers for a whole job yields many, each about a row). All
questions are about one row's `Game`: its instance x, the baselines b that stand for absent features, and the explained output f
(one number per evaluation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Factor = Literal["one", "instance", "difference"]
"""What each gradient is multiplied with, element by element, before it is summed: 1, x, or (x - b)."""


@dataclass(frozen=True, eq=False)
class Values:
    """Value of coalitions: f where the players of a coalition keep the instance's value and the others the baseline's.

    `coalitions`: bool [coalitions, players], True = present; or float, the share of the instance's value (the rest is the
    baseline's). With a background set the value is the mean over it.
    Ask with the very same array for many rows (a cached plan): the engine then builds its masks once.
    Answer: float64 [coalitions].
    """

    coalitions: NDArray[np.bool_] | Floats

    @property
    def evaluations(self) -> int:
        """Model calls this costs per baseline row."""
        return len(self.coalitions)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The whole explained output at points of the method's own; the row lends its shape only, its baselines play no part.

    `points`: input -> [points, *row], of every input; in the inputs' own datatypes, or what is cast to them.
    Ask in several questions where points are many: they are in memory until they are answered.
    Answer: float64 [points, columns].
    """

    points: Mapping[str, NDArray[Any]]

    @property
    def evaluations(self) -> int:
        """Model calls this costs."""
        return len(next(iter(self.points.values())))


@dataclass(frozen=True)
class Noise:
    """Gaussian noise added to the points of a `Gradients` question: point i gets draw `first + i` of this seed.

    `scale` is a share of each input's range (max - min of the row), as SmoothGrad defines it.
    """

    seed: int
    scale: float
    first: int = 0


@dataclass(frozen=True, eq=False)
class Gradients:
    """Weighted sum of input gradients at points b + alpha (x - b) + noise.

    `alphas`, `weights`: float64 [points]. Answer: a `GradientAnswer`.
    """

    alphas: Floats
    weights: Floats
    factor: Factor = "one"
    noise: Noise | None = None
    baselines: NDArray[np.int64] | None = None
    """The one baseline that each point takes, by its number, [points]. None: every point is taken with every baseline."""
    variances: bool = False
    """Whether the variance over the points is wanted, too, of the gradients themselves (weights then sum to 1)."""
    points: Mapping[str, NDArray[Any]] | None = None
    """Points of the method's own, input -> [points, *row], where no small description leads; baselines play no part then, and
    each point's gradient is wanted (see `gradients_at`). Ask in several questions where they are many."""

    @property
    def evaluations(self) -> int:
        """Gradient calls this costs, per baseline row where every point is taken with every baseline."""
        return len(self.alphas)


def gradients_at(points: Mapping[str, NDArray[Any]]) -> Gradients:
    """The gradient at each of one's own points. `points`: input -> [points, *row], of every input; the answer's sums too."""
    ones = np.ones(len(next(iter(points.values()))))
    return Gradients(ones, ones, points=points)


@dataclass(frozen=True)
class Rules:
    """Changed rules of the backward pass, by name (a file in `workers/inside/rules/`), with their numbers."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    paired: bool = False
    """Whether each point is compared with its baseline, in one pass (DeepLIFT)."""


@dataclass(frozen=True)
class Unit:
    """An inner number that is differentiated in place of the explained output: an element of a layer's output.

    An index shorter than the output's axes names a channel: the mean over the rest.
    """

    layer: str
    index: tuple[int, ...]


@dataclass(frozen=True)
class Probe:
    """What is looked at inside a model while it is called. Questions of equal probes share a call.

    `layers`: names as the model lists them. `of`: their outputs, or the attention weights they compute.
    `statistics`: whether figures of the activations (with `gradients`, of those, too) are wanted in place of tensors, see
    `workers.figures`.
    `activations`, `gradients`: whether these tensors themselves, and the score's gradients to them, are wanted.
    `inputs`: whether the score's gradients to the model's inputs are wanted. `steps`: whether the sum over a path of each
    gradient times the activation's change to the next point is. `start`: the layer whose output a path replaces.
    """

    layers: tuple[str, ...] = ()
    of: Literal["outputs", "attention"] = "outputs"
    activations: bool = False
    gradients: bool = False
    steps: bool = False
    inputs: bool = False
    statistics: bool = False
    rules: Rules | None = None
    unit: Unit | None = None
    start: str | None = None

    @property
    def paired(self) -> bool:
        """Whether the rules compare each point with its baseline, in one pass."""
        return self.rules is not None and self.rules.paired


@dataclass(frozen=True, eq=False)
class LayerPath:
    """Where a path at a layer's output begins and ends. `baselines`: [B, *layer], `instance`: [*layer]."""

    baselines: Floats
    instance: Floats


ONE = np.ones(1)
ONE.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Internals:
    """What a `Probe` shows at points b + alpha (x - b), summed over the points with `weights`. Answer: an `InternalAnswer`.

    The default is the instance itself. With a `path`, the points are those of `probe.start`'s output, and the inputs stay x.
    With `points`, input -> [points, *row], they are these, whatever the row is; its baselines play no part. See `at`.
    """

    probe: Probe
    alphas: Floats = field(default_factory=lambda: ONE)
    weights: Floats = field(default_factory=lambda: ONE)
    factor: Factor = "one"
    path: LayerPath | None = None
    each: bool = False
    """Whether activations are wanted at each point and baseline, [points * B, *layer], and not their sum."""
    points: Mapping[str, NDArray[Any]] | None = None
    column: int | None = None
    """The output explained, where a method that answers for a whole job takes another than the row's target."""

    @property
    def at_instance(self) -> bool:
        """Whether the explained output is looked at, and at the instance alone."""
        own = self.path is None and self.points is None
        return self.probe.unit is None and own and bool((self.alphas == 1.0).all())

    @property
    def evaluations(self) -> int:
        """Calls this costs per baseline row; with `points`, in all."""
        return len(self.alphas)


def at(points: Mapping[str, NDArray[Any]], probe: Probe, column: int | None = None) -> Internals:
    """What a probe shows at points of one's own, summed over them. `points`: input -> [points, *row], of every input."""
    ones = np.ones(len(next(iter(points.values()))))
    return Internals(probe, ones, ones, points=points, column=column)


@dataclass(frozen=True)
class Trees:
    """The exact Shapley values of a model that is a sum of trees, read off the trees themselves. Answer: a `TreeAnswer`.

    With a background set: their mean over it, which are the values of the marginal game.
    `margin`: whether the sum is meant where a function follows it. Without, such a model is refused.
    """

    margin: bool = False

    evaluations: int = 1
    """Ways down the trees, per baseline row."""


Question = Values | Outputs | Gradients | Internals | Trees


@dataclass(frozen=True)
class TreeAnswer:
    """`per_player`: float64 [players]. `margin`: what they are of, where that is not the output itself."""

    per_player: Floats
    margin: Margin | None = None


@dataclass(frozen=True)
class Margin:
    """What trees sum up to, at the instance and on average at its baselines; `link` makes the output of it."""

    link: str
    instance: float
    baseline: float


@dataclass(frozen=True)
class InternalAnswer:
    """`activations`, `gradients`, `steps`: layer -> float64 array shaped like one row of it, averaged over the baselines.

    `sums`: input -> array shaped like one row, as a `GradientAnswer` has them. `outputs`: the score at each point, [points].
    """

    outputs: Floats
    activations: dict[str, Floats] = field(default_factory=dict)
    gradients: dict[str, Floats] = field(default_factory=dict)
    steps: dict[str, Floats] = field(default_factory=dict)
    sums: dict[str, Floats] = field(default_factory=dict)
    reference: float | None = None
    """The score of what the points were paired with, where rules pair them."""
    column: int = -1
    """The output column that was explained."""
    statistics: Floats | None = None
    """[points, figures], where the probe asks for them; `workers.figures` says what is where."""


@dataclass(frozen=True)
class GradientAnswer:
    """`sums`: input name -> float64 array shaped like one row (at points of one's own [points, *row], the gradient at each).

    `outputs`: f at each point, float64 [points].

    `variances`: like `sums`, where they were asked for.
    """

    sums: dict[str, Floats]
    outputs: Floats
    variances: dict[str, Floats] = field(default_factory=dict)


Answer = Any
"""Floats for `Values`, `Outputs`; a `TreeAnswer`, `GradientAnswer` or `InternalAnswer` for the question of that name."""


@dataclass(frozen=True, eq=False)
class Map:
    """An array that goes with an answer, beside its attributions: a raw map, attention weights, a picture.

    `axes`: what each axis is ("row", "column", "head", "query", ...). `layer`: where it was seen.
    """

    name: str
    values: Floats
    axes: tuple[str, ...]
    layer: str | None = None


@dataclass(frozen=True)
class Solution:
    """What a method returns for one row: values per player, per element of every input, or per element of a layer's output.

    `per_player`: float64 [players]. `per_element`: input name -> array shaped like one row. `per_layer`: layer -> array shaped
    like one row of it. `maps`: what goes with them.
    `standard_error`: for sampling methods, float64 [players], or per element as `per_element` is.
    `error`: the figure that `tolerance` was compared with.
    `unexplained`: of a fitted model, the share of the output's variance that it leaves.
    `margin`: what was explained, where that is not the output itself.
    `notes`: what a reader should know (and why `converged` is False, when it is).
    """

    per_player: Floats | None = None
    per_element: dict[str, Floats] | None = None
    per_layer: dict[str, Floats] | None = None
    maps: tuple[Map, ...] = ()
    standard_error: Floats | dict[str, Floats] | None = None
    error: float | None = None
    unexplained: float | None = None
    converged: bool | None = None
    margin: Margin | None = None
    notes: tuple[str, ...] = field(default=())
