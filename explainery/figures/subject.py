"""What a figure is drawn of: one row of a result, with the model's card and the row's inputs where they are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import RequestRefused
from explainery.contract.model_card import InputSpec, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WRITTEN = 200_000
"""Arrays of more numbers than anybody reads are widened as they are, which is faster."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One attribution of the row, its numbers as float64 in `values`. `spec`: the card's words on the input, if known.

    `given`: the row's input as it was sent, an array or the bytes of a file; None when it is not kept. `layer`: the layer whose
    activations were attributed, None for the input itself. `offsets`: where each feature lies in the given text.
    """

    input: str
    values: NDArray[Any]
    errors: NDArray[Any] | None = None
    features: tuple[str, ...] | None = None
    offsets: tuple[tuple[int, int], ...] | None = None
    layer: str | None = None
    spec: InputSpec | None = None
    given: NDArray[Any] | bytes | None = None

    @property
    def modality(self) -> str:
        """The input's modality, "tensor" when no card says."""
        return self.spec.modality if self.spec else "tensor"


@dataclass(frozen=True, eq=False)
class Map:
    """A picture or table of numbers that a method returns beside its attributions; `axes` names its axes."""

    name: str
    values: NDArray[Any]
    axes: tuple[str, ...] = ()
    layer: str | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """One row of a result. `pieces`: one per model input or layer; `maps`, `report`: what some methods add."""

    model: str
    method: str
    row: int
    target: Mapping[str, Any]
    instance_output: float
    baseline_output: float
    complete: bool
    """Whether the method promises that its attributions sum to the output's change."""
    pieces: tuple[Piece, ...]
    maps: tuple[Map, ...] = ()
    report: Mapping[str, Any] | None = None
    card: ModelCard | None = None
    notes: tuple[str, ...] = field(default=())
    head: int | None = None
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the checks of its quality found, by name."""
    contributes: bool = True
    """Whether the numbers are shares of the output, with their sign, and not slopes or sizes."""

    def chosen(self, input_name: str | None, layer: str | None) -> Subject:
        """The subject with only what concerns one input or layer. Raises RequestRefused when there is nothing of that name."""
        pieces, maps = self.pieces, self.maps
        if input_name is not None:
            pieces = tuple(piece for piece in pieces if piece.input == input_name)
            _check(pieces, "input", [piece.input for piece in self.pieces])
        if layer is not None:
            pieces = tuple(piece for piece in pieces if piece.layer == layer)
            maps = tuple(entry for entry in maps if entry.layer == layer)
            everywhere = [piece.layer for piece in self.pieces] + [entry.layer for entry in self.maps]
            _check((*pieces, *maps), "layer", [name for name in everywhere if name])
        return replace(self, pieces=pieces, maps=maps)


def read_subject(
    document: Mapping[str, Any],
    row: int,
    card: ModelCard | None = None,
    given: Mapping[str, Any] | None = None,
    head: int | None = None,
    *,
    contributes: bool = True,
) -> Subject:
    """Row `row` of a result document. `given`: input name -> the row's input as it was sent. `head`: of attention.

    `contributes`: as the method's spec has it.

    Raises RequestRefused when the result has no such row.
    """
    explanations = document["explanations"] or _of_the_job(document)
    if not 0 <= row < len(explanations):
        raise RequestRefused(*_fault("row", f"must be below {len(explanations)}, the number of rows of the result"))
    told = explanations[row]
    quality = told.get("quality") or {}
    return Subject(
        model=document["model"]["name"],
        method=document["method"],
        row=row,
        target=told.get("target") or {"output": "output"},
        instance_output=float(told.get("instance_output") or 0.0),
        baseline_output=float(told.get("baseline_output") or 0.0),
        complete=quality.get("completeness_gap") is not None,
        pieces=tuple(_piece(entry, card, given or {}) for entry in told.get("attributions") or ()),
        maps=tuple(_map(entry) for entry in told.get("maps") or ()),
        report=document.get("report"),
        card=card,
        notes=tuple(quality.get("notes") or ()),
        head=head,
        checks=quality.get("checks") or {},
        contributes=contributes,
    )


def _of_the_job(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What stands for a row where a method answers for the job: its maps, what it aimed at, and the score reached.

    A report of single rows has each of them.
    """
    report = document.get("report")
    if report is None:
        return []
    if isinstance(rows := report.get("rows"), list):
        return [{"target": told.get("outcome")} for told in rows]
    aim = report.get("objective") or {}
    named = {"output": report["output"]} if isinstance(report.get("output"), str) else None
    target: Mapping[str, Any] | None = aim if aim.get("output") else named
    if aim.get("layer"):
        target = {"output": f"unit {', '.join(map(str, aim.get('unit') or ()))} of {aim['layer']}"}
    return [{"maps": document.get("maps"), "target": target, "instance_output": report.get("score")}]


def _piece(entry: Mapping[str, Any], card: ModelCard | None, given: Mapping[str, Any]) -> Piece:
    features, offsets, layer = entry.get("features"), entry.get("offsets"), entry.get("layer")
    errors = entry.get("standard_error")
    return Piece(
        input=str(entry.get("input") or layer),
        values=_array(entry["data"], entry["shape"]),
        errors=None if errors is None else _array(errors, entry["shape"]),
        features=None if features is None else tuple(map(str, features)),
        offsets=None if offsets is None else tuple((int(start), int(end)) for start, end in offsets),
        layer=layer,
        spec=next((spec for spec in card.inputs if spec.name == entry.get("input")), None) if card and layer is None else None,
        given=given.get(str(entry.get("input"))) if layer is None else None,
    )


def _map(entry: Mapping[str, Any]) -> Map:
    return Map(str(entry["name"]), _array(entry["data"], entry["shape"]), tuple(entry.get("axes") or ()), entry.get("layer"))


def _array(data: Any, shape: Sequence[int]) -> NDArray[Any]:
    """As float64, each number the one that the result writes: a float32 by its shortest decimals."""
    import numpy as np

    array = np.asarray(data)
    if array.dtype == np.float32 and array.size <= MOST_WRITTEN:
        array = array.astype(np.str_)
    return array.astype(np.float64).reshape(tuple(shape))


def _check(found: Sequence[object], loc: str, known: Iterable[str]) -> None:
    if not found:
        listed = ", ".join(dict.fromkeys(known)) or "none"
        raise RequestRefused(*_fault(loc, f"is none that this result has; there are: {listed}"))


def _fault(loc: str, message: str) -> tuple[str, list[dict[str, str]]]:
    return f"{loc} {message}", [{"loc": loc, "msg": message}]
