"""What workers offer: methods with their parameters, runtimes, models. Published to Redis, checked against by the API.

A parameter is described once, here, as data: validation, the API's answers, the command line's help and the reference
page all come from its `Param`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from explainery.contract.calls import Calls
from explainery.contract.errors import InvalidParameter
from explainery.contract.frozen import Frozen
from explainery.contract.layers import LayerKind, LayerSpec
from explainery.contract.model_card import Modality, ModelCard
from explainery.contract.param_types import FAULTS, ParamType

QuestionKind = Literal["values", "gradients", "internals", "trees"]
"""What a method may ask of a model, and a runtime may be able to answer (see `workers/questions.py`)."""

Level = Literal["row", "job"]
"""Whether a method answers for each row by itself, or for all rows of a job together."""

About = Literal["output", "layer", "unit", "maps"]
"""What a method's values are: the inputs' parts in the explained output; a layer's, or those in a unit; or only maps."""

Need = Literal["values", "smooth", "weights"]
"""What a check needs of a model: predictions; inputs that can be moved a little; weights that can be shuffled."""


class Param(Frozen):
    """One parameter of a method: everything anybody needs to know about it."""

    name: str
    type: ParamType
    default: Any = None
    help: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None

    def fault(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None. `None` is accepted where it is the default."""
        if value is None:
            return None if self.default is None else "must not be null"
        wrong = FAULTS[self.type](value)
        if wrong:
            return wrong
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._range_fault(value)
        if self.choices is not None and value not in self.choices:
            return "must be one of " + ", ".join(self.choices)
        return None

    def _range_fault(self, value: float) -> str | None:
        if self.minimum is not None and value < self.minimum:
            return f"must be at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"must be at most {self.maximum:g}"
        return None


class MethodSpec(Frozen):
    """What a method is, asks and takes."""

    name: str
    title: str
    summary: str
    asks: tuple[QuestionKind, ...]
    params: tuple[Param, ...] = ()
    completeness: bool
    """Whether attributions promise to sum to instance_output - baseline_output."""
    random: bool = False
    reference: str
    """The paper or text that defines it."""
    layer: LayerKind | None = None
    """What it needs of the layer that it looks at; None where it looks at none."""
    smooth_inputs: bool = False
    """Whether it moves the inputs, or differentiates to them, when it looks inside: whole numbers are no good then."""
    pairs: bool = False
    """Whether it compares each row with its baseline in one pass of the model."""
    one_baseline: bool = False
    """Whether each of its evaluations takes one baseline of a background set, and not all of them in turn."""
    all_layers: bool = False
    """Whether "auto" means every layer of that kind, and not the last."""
    modality: Modality | None = None
    """The only modality of inputs that it makes sense of; None: any."""
    level: Level = "row"
    table: bool = False
    """Whether it makes rows of its own out of a table's features: for models of tables only. Of level "job"."""
    calls: Calls | None = None
    """How many calls of the model it takes; None: a guess is made."""
    contributes: bool = True
    """Whether its numbers are shares of the output, with their sign, and not slopes or sizes."""
    max_players: int | None = None
    """More players than this are refused at the door (methods that enumerate coalitions)."""
    about: About = "output"
    slopes: bool = False
    """Whether its values are per unit of the input, as gradients are; times the way from the baseline they contribute."""

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return `given` with every default filled in.

        Raises InvalidParameter listing every unknown name, wrong type and value out of range at once.
        """
        return _completed(self.name, self.params, given, "params")


class CheckSpec(Frozen):
    """What a quality check is, needs and takes. Its `samples` are model evaluations, its `runs` runs of the method."""

    name: str
    title: str
    summary: str
    needs: Need = "values"
    of_output: bool = False
    """Whether it holds attributions against changes of the output, in its units: of a margin it says nothing."""
    random_only: bool = False
    """Whether it asks nothing where the method is not random."""
    params: tuple[Param, ...] = ()
    reference: str

    def complete(self, given: Mapping[str, Any], loc: str) -> dict[str, Any]:
        """Return `given` with every default filled in. Raises InvalidParameter with places under `loc`."""
        return _completed(self.name, self.params, given, loc)


class RuntimeSpec(Frozen):
    """What a runtime loads and can be asked."""

    name: str
    title: str
    formats: tuple[str, ...]
    answers: tuple[QuestionKind, ...]
    cannot: dict[QuestionKind, str] = Field(default_factory=dict)
    """Why a kind of question cannot be answered, in a sentence a client can act on."""
    formats_cannot: dict[str, dict[QuestionKind, str]] = Field(default_factory=dict)
    """The same for single formats."""
    shuffles: tuple[str, ...] = ()
    """Formats of models whose weights it can shuffle, where it gives their gradients."""

    def of_format(self, file_format: str) -> RuntimeSpec:
        """What the runtime answers of a file of this format."""
        return self.without(self.formats_cannot.get(file_format, {}))

    def without(self, cannot: Mapping[QuestionKind, str]) -> RuntimeSpec:
        """The same runtime where some kinds of question cannot be answered."""
        if not cannot:
            return self
        answers = tuple(kind for kind in self.answers if kind not in cannot)
        return self.model_copy(update={"answers": answers, "cannot": self.cannot | dict(cannot)})


class Availability(Frozen):
    """Whether a method works on a model, and if not, why."""

    available: bool
    reason: str | None = None


class Verdict(Frozen):
    """What opening a model's own file has shown, where the runtime alone does not decide.

    `parity`: the largest difference between the two ways the model is computed, as a share of its largest output (or of 1).
    """

    cannot: dict[QuestionKind, str] = Field(default_factory=dict)
    """Why a kind of question cannot be answered of this very model."""
    parity: float | None = None
    approximate: tuple[str, ...] = ()
    """Operators whose gradient is not the derivative of what they compute (rounding, which is passed straight through)."""
    refused: str | None = None
    """Why no worker takes the file in: what its trial ended with."""
    need_bytes: int | None = None
    """Memory that opening the file and calling it once took in its trial."""
    layers: tuple[LayerSpec, ...] | None = None
    """Its layers, where it was looked into; offers leave them out: they are published by themselves."""
    link: str | None = None
    """The function that makes the output of what its trees sum up to, the margin: logistic or softmax. None: none is known."""
    fixed_rows: int | None = None
    """The only number of rows the file takes at once; None where it takes any."""


class ModelEntry(Frozen):
    """One version of a model as a worker offers it."""

    name: str
    version: int
    digest: str
    runtime: str
    card: ModelCard
    players: int | None
    """How many players the default feature groups make; None where the input's shape is open."""
    methods: dict[str, Availability]
    checks: dict[str, Availability] = Field(default_factory=dict)
    """Of the quality checks."""
    fault: str | None = None
    """Why the model cannot be used at all (a broken card or file); None when it can."""
    verdict: Verdict | None = None
    """None when the file was not opened yet, or shows nothing that the runtime does not say."""


class Offer(Frozen):
    """Everything one worker offers; content-addressed in the store, so equal workers share one."""

    methods: tuple[MethodSpec, ...]
    runtimes: tuple[RuntimeSpec, ...]
    models: tuple[ModelEntry, ...]
    checks: tuple[CheckSpec, ...] = ()
    room_bytes: int | None = None
    """Memory that a job's rows may take in the worker, of several the largest; None where none has said."""


def _completed(owner: str, params: tuple[Param, ...], given: Mapping[str, Any], loc: str) -> dict[str, Any]:
    """`given` with every default filled in. Raises InvalidParameter with every fault at once."""
    known = {param.name: param for param in params}
    takes = f"{owner} has no such parameter; it takes: {', '.join(known) or 'none'}"
    errors = [{"loc": f"{loc}.{_shown(name)}", "msg": takes} for name in given if name not in known]
    for name, value in given.items():
        fault = known[name].fault(value) if name in known else None
        if fault:
            errors.append({"loc": f"{loc}.{name}", "msg": fault})
    if errors:
        listed = "; ".join(f"{error['loc']}: {error['msg']}" for error in errors[:8])
        raise InvalidParameter(f"Parameters of {owner} cannot be used: {listed}", errors)
    return {param.name: given.get(param.name, param.default) for param in params}


def _shown(name: str) -> str:
    """A name that a client made up, where it looks like a name; a message never repeats anything else."""
    return name if name.isidentifier() and len(name) <= 64 else "?"
