"""Tables by their cards: the columns of all inputs as one row of named features, and whether parameters fit them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from explainery.contract.actionability import Actionability, read_actionability
from explainery.contract.catalogue import MethodSpec
from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import InputSpec, ModelCard, OutputSpec

NONE = Actionability()


def lacks_table(card: ModelCard) -> str | None:
    """Why the model's inputs are no table, as a sentence a client can act on; None when they are."""
    for spec in card.inputs:
        if spec.modality != "tabular":
            return (
                f"changes features of a table, and input {spec.name} is of modality {spec.modality}; where its columns are "
                'features, say modality = "tabular" in the card'
            )
        if spec.row_elements is None:
            return f"needs to know how many columns input {spec.name} has; its shape in the card is open"
    return None


def features_of(card: ModelCard) -> dict[str, tuple[InputSpec, int]]:
    """Every column by its name, with its input and place: the card's names, `input[place]` where it gives none.

    Names that two inputs share are written `input.name`.
    """
    named = [(spec, place, name) for spec in card.inputs for place, name in enumerate(_names(spec))]
    counts: dict[str, int] = {}
    for _, _, name in named:
        counts[name] = counts.get(name, 0) + 1
    return {name if counts[name] == 1 else f"{spec.name}.{name}": (spec, place) for spec, place, name in named}


def groups_of(card: ModelCard) -> dict[str, tuple[str, ...]]:
    """The groups of all inputs, with their members as `features_of` names them."""
    by_place = {(spec.name, place): name for name, (spec, place) in features_of(card).items()}
    made: dict[str, tuple[str, ...]] = {}
    for spec in card.inputs:
        names = _names(spec)
        for group, members in spec.groups.items():
            made[group if group not in made else f"{spec.name}.{group}"] = tuple(
                by_place[spec.name, names.index(member)] for member in members
            )
    return made


def limits_of(card: ModelCard, asked: Any) -> Actionability:
    """What may be changed by the cards of all inputs and by the request, by the names of `features_of` and `groups_of`."""
    by_place = {(spec.name, place): name for name, (spec, place) in features_of(card).items()}
    whole = NONE
    for spec in card.inputs:
        if spec.actionability is None:
            continue
        known = {name: by_place[spec.name, place] for place, name in enumerate(_names(spec))}
        own = spec.actionability
        whole = whole.narrowed(
            Actionability(
                immutable=tuple(known.get(name, name) for name in own.immutable),
                ranges={known[name]: ends for name, ends in own.ranges.items()},
                directions={known[name]: way for name, way in own.directions.items()},
                steps={known[name]: step for name, step in own.steps.items()},
                one_hot=own.one_hot,
            )
        )
    return whole if asked is None else whole.narrowed(read_actionability(asked))


def outcome_names(output: OutputSpec) -> tuple[str, ...] | None:
    """Names or numbers of the classes that an output tells apart; None where it is a number, not a class.

    A single column of probabilities or logits tells two: "0" and "1".
    """
    if output.kind == "regression" or output.columns is None:
        return None
    if output.columns == 1:
        return ("0", "1") if output.kind in ("probabilities", "logits") else None
    return output.labels or tuple(str(column) for column in range(output.columns))


def check_table(method: MethodSpec, params: Mapping[str, Any], card: ModelCard, rows: int) -> None:
    """Check what names features, classes or rows. Raises InvalidParameter."""
    if not method.table:
        return
    for param in method.params:
        value = params.get(param.name)
        if param.type in _CHECKS:
            for message in _CHECKS[param.type](value, card, rows):
                raise _refused(param.name, message)


def _names(spec: InputSpec) -> tuple[str, ...]:
    return spec.features or tuple(f"{spec.name}[{place}]" for place in range(spec.row_elements or 0))


def _limits_faults(value: Any, card: ModelCard, rows: int) -> Iterator[str]:
    if value is None:
        return
    asked = read_actionability(value)
    yield from asked.faults(features_of(card), groups_of(card))
    low_high = limits_of(card, value).ranges
    if any(low > high for low, high in low_high.values()):
        yield "ranges has a range that lies outside the card's: nothing is left of it"


def _features_faults(value: Any, card: ModelCard, rows: int) -> Iterator[str]:
    known = features_of(card)
    named = [name for entry in value or () for name in ([entry] if isinstance(entry, str) else entry)]
    yield from _unknown(named, known)


def _grids_faults(value: Any, card: ModelCard, rows: int) -> Iterator[str]:
    yield from _unknown(value or (), features_of(card))


def _unknown(named: Collection[str], known: Collection[str]) -> Iterator[str]:
    if not set(named) <= set(known):
        some = ", ".join(list(known)[:8])
        yield f"names a feature that the model does not have; it has: {some}{', …' if len(known) > 8 else ''}"


def _outcome_faults(value: Any, card: ModelCard, rows: int) -> Iterator[str]:
    names = outcome_names(card.score_output)
    if isinstance(value, Mapping):
        return
    if names is None:
        yield f'must be {{"range": [lowest, highest]}}: output {card.score_output.name} is a number, not a class'
    elif value != "other" and class_of(value, names) is None:
        yield f'must be "other", {{"range": [lowest, highest]}} or a class of the output: {", ".join(names[:8])}'


def _truth_faults(value: Any, card: ModelCard, rows: int) -> Iterator[str]:
    if value is None:
        return
    names = outcome_names(card.score_output)
    if len(value) != rows:
        yield f"has {len(value)} entries for {rows} rows"
    elif names is None and any(isinstance(entry, str) for entry in value):
        yield f"must be numbers: output {card.score_output.name} is a number, not a class"
    elif names is not None and any(class_of(entry, names) is None for entry in value):
        yield f"must be classes of the output, by index or label: {', '.join(names[:8])}"


def class_of(value: Any, names: tuple[str, ...]) -> int | None:
    """The index of a class given by its index or label; None where there is no such class."""
    if isinstance(value, str):
        return names.index(value) if value in names else None
    return int(value) if int(value) == value and 0 <= value < len(names) else None


def _refused(name: str, message: str) -> InvalidParameter:
    return InvalidParameter(f"params.{name} {message}.", [{"loc": f"params.{name}", "msg": message}])


_CHECKS = {
    "actionability": _limits_faults,
    "curves": _features_faults,
    "grids": _grids_faults,
    "outcome": _outcome_faults,
    "truth": _truth_faults,
}
