"""What a plugin is: a module with these names, checked by the registry at boot."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from explainery.contract.catalogue import CheckSpec, MethodSpec, RuntimeSpec, Verdict
from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import InputSpec, ModelCard
from explainery.settings import Settings
from workers.game import Explaining, Game, Params, Partition
from workers.questions import Probe
from workers.recheck import Checking, Subject
from workers.table import Table
from workers.whole import ExplainingJob, JobView, WeightFigures

Array = Any
"""An array of the model's own library, on its device."""


class MethodPlugin(Protocol):
    """A file in `workers/methods/`.

    It may also have `players(inputs, shapes, params) -> Partition` when it makes its own players. One whose SPEC has
    level "job" is a `WholePlugin` instead.
    """

    SPEC: MethodSpec

    def explain(self, game: Game, params: Params) -> Explaining:
        """Explain one row: yield questions, be sent their answers, return a solution."""
        ...

    def cost(self, players: int, params: Params) -> int:
        """Evaluations one row may cost: for progress and for what is worked on first."""
        ...


class WholePlugin(Protocol):
    """A file in `workers/methods/` of level "job": it answers for all rows of a job together."""

    SPEC: MethodSpec

    def explain_job(self, view: JobView, params: Params) -> ExplainingJob:
        """Explain a job: yield lists of (row number, question), be sent the lists of their answers, return a solution."""
        ...

    def job_cost(self, rows: int, params: Params) -> int:
        """Evaluations the whole job may cost."""
        ...


class TablePlugin(Protocol):
    """A `WholePlugin` whose SPEC has `table`: its view has a table, and what it costs depends on that, too."""

    SPEC: MethodSpec

    def explain_job(self, view: JobView, params: Params) -> ExplainingJob:
        """As a `WholePlugin`'s; `view.table` is there."""
        ...

    def job_cost(self, rows: int, params: Params, table: Table) -> int:
        """Evaluations the whole job may cost."""
        ...


AnyMethod = MethodPlugin | WholePlugin | TablePlugin


class CheckPlugin(Protocol):
    """A file in `workers/checks/`."""

    SPEC: CheckSpec

    def check(self, subject: Subject, params: Params) -> Checking:
        """Check one explanation: yield lists of questions, be sent the lists of their answers, return a finding."""
        ...

    def cost(self, players: int, params: Params, run: int) -> int:
        """Evaluations one explanation may cost, where a run of the method costs `run`."""
        ...


class PlayersHook(Protocol):
    """The optional `players` of a method."""

    def __call__(self, inputs: Sequence[InputSpec], shapes: Mapping[str, tuple[int, ...]], params: Params) -> Partition:
        """Cut the inputs into players."""
        ...


class Model(Protocol):
    """A loaded model: it places arrays, is called forward, and gives gradients where it can.

    `xp` is the array library's namespace (`numpy` or `torch`: both have `where` and `concatenate`).
    """

    xp: Any
    environment: Mapping[str, str | None]

    def place(self, array: NDArray[Any]) -> Array:
        """Bring a NumPy array to the model's device."""
        ...

    def fetch(self, array: Array) -> NDArray[np.float64]:
        """Bring an array back as float64."""
        ...

    def forward(self, inputs: Mapping[str, Array]) -> Array:
        """The explained output at a batch of points, [points, columns]. Raises MemoryError when it does not fit."""
        ...

    def gradients(self, inputs: Mapping[str, Array], columns: NDArray[np.int64]) -> tuple[Array, dict[str, Array]]:
        """The output at each point's column [points], and its gradient to each input [points, *row]. Raises MemoryError."""
        ...


@dataclass
class Shown:
    """What a `Probe` has shown at each point, as arrays of the model's library. A layer's have their points in front.

    `outputs`: [points, columns]. `scores`: [points], what was differentiated. `columns`: [points], the targets.
    `references`: the outputs of the rows that the rules pair with the points.
    """

    outputs: Array
    scores: Array
    columns: Array
    activations: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Array] = field(default_factory=dict)
    references: Array | None = None
    statistics: Array | None = None
    """[points, figures], see `workers.figures`."""


class Inside(Protocol):
    """What a loaded model has too when its runtime answers "internals"."""

    @property
    def layers(self) -> Sequence[LayerSpec]:
        """Its layers, in the order in which they put out their results; found when first asked for."""
        ...

    @property
    def weights(self) -> Sequence[WeightFigures]:
        """What its layers have learned, in figures; empty where that cannot be told."""
        ...

    def internals(
        self,
        inputs: Mapping[str, Array],
        columns: NDArray[np.int64],
        probe: Probe,
        start: Array | None = None,
        references: Mapping[str, Array] | None = None,
    ) -> Shown:
        """What the probe shows at a batch of points. Column -1: the largest output.

        `start`: [points, *layer], what the layer puts out that the probe starts at. `references`: a row for each point, for
        rules that pair.
        Raises MemoryError, MethodUnavailable, InvalidTarget, OperationWithoutRule.
        """
        ...


class Wooded(Protocol):
    """What a loaded model has too when its runtime answers "trees"."""

    def shapley(
        self,
        inputs: Mapping[str, Array],
        baselines: Mapping[str, Array],
        columns: NDArray[np.int64],
        players: Mapping[str, NDArray[np.int64]],
    ) -> NDArray[np.float64]:
        """Exact Shapley values [points, players] of each point against its own baseline. `players`: input -> of each element.

        Of the trees' sums, whatever function follows them. Raises MethodUnavailable where the model has no trees.
        """
        ...

    @property
    def link(self) -> str | None:
        """The function that makes the output of the trees' sum, the margin; None where it is the sum. Raises likewise."""
        ...

    def margins(self, inputs: Mapping[str, Array], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The trees' sums behind the output columns, [points]. Raises likewise."""
        ...


@runtime_checkable
class Shuffling(Protocol):
    """What a loaded model has too when its runtime can shuffle the weights of its format."""

    @property
    def weighted(self) -> tuple[str, ...]:
        """The layers that have weights, from the input to the output."""
        ...

    def shuffled(self, layers: Collection[str], seed: int) -> Model:
        """The model again with the weights of these layers permuted; the rest is shared."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a model is loaded, and under which settings."""

    device: str
    settings: Settings


class Judged(Protocol):
    """The optional `verdict` of a loaded model: what loading it has shown."""

    verdict: Verdict


class Leaving(Protocol):
    """The optional `abandon` of a loaded model whose calls wait for something: its job was canceled or has expired."""

    def abandon(self) -> None:
        """End the call that is going on, soon, with any error. Called from another thread."""
        ...


class Fading(Protocol):
    """The optional `stale` of a loaded model: what it stands for has changed elsewhere, and whoever asks next loads it anew."""

    stale: bool


class InspectHook(Protocol):
    """The optional `inspect` of a runtime: what a file shows without being loaded or run."""

    def __call__(self, card: ModelCard, files: Mapping[str, bytes]) -> Verdict:
        """Look at the files' bytes. Anything it raises means "not known yet"."""
        ...


class RuntimePlugin(Protocol):
    """A file or package in `workers/runtimes/`.

    It may also have `inspect(card, files) -> Verdict` when the file decides what can be asked of a model.
    """

    SPEC: RuntimeSpec

    def refuses(self, card: ModelCard, settings: Settings) -> str | None:
        """Why this operator's settings do not let the model be loaded, or None."""
        ...

    def load(self, card: ModelCard, files: Mapping[str, bytes], place: Place) -> Model:
        """Load a model from its files' bytes. Raises ModelUnloadable."""
        ...


@dataclass(frozen=True, eq=False)
class Groups:
    """One input cut into groups: `labels` int64 shaped like a row, 0 .. groups-1; a name per group where they have names.

    `grouped`: whether attributions are reported per group.
    """

    labels: NDArray[np.int64]
    names: tuple[str, ...] | None = None
    grouped: bool = False


class ModalityPlugin(Protocol):
    """A file in `workers/modalities/`, named like the modality in the card.

    It may also have `groups_by_content(spec, row, features) -> Groups` where what is in a row can say how it is cut.
    """

    def decode(self, spec: InputSpec, encoded: Sequence[bytes], media_type: str) -> NDArray[Any]:
        """Encoded rows -> array [rows, *row shape], preprocessed as the card says. Raises InputUndecodable."""
        ...

    def groups(self, spec: InputSpec, shape: tuple[int, ...], features: Mapping[str, Any] | None) -> Groups:
        """The feature groups of one input: the modality's own when `features` is None. Raises InvalidParameter."""
        ...

    def baseline(self, spec: InputSpec, kind: str, rows: NDArray[Any], sample: NDArray[Any] | None) -> NDArray[np.float64]:
        """The "mean" or "blur" baseline of each row, [rows or 1, *row shape]. Raises InvalidBaseline when there is none."""
        ...
