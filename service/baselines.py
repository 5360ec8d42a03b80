"""`baseline` -> what stands in for an absent feature, and its arrays, checked against the card."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InvalidBaseline, InvalidInput
from explainery.contract.job import Baseline
from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.tensors import NUMPY_NAMES, limits, tensor_from_nested, unpack
from service.faults import fault
from service.instances import plain, read_column, read_instances
from service.rows import Rows, check_count, fits
from service.value_functions import BESIDE, read_beside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

Stored = Callable[[str], bytes]
"""A stored background by its id, as safetensors. Raises BackgroundNotFound."""


def no_backgrounds(background_id: str) -> bytes:
    """Where none are stored."""
    raise fault(InvalidBaseline, "baseline.background", "names a stored background, and none is stored here")


NAMED = ("zeros", "mean", "blur", "card")
FORMS = (
    '"zeros", "mean", "blur", "card", {"value": number}, {"tensor": ...} or {"background": [rows]}, '
    'and beside a background perhaps "conditional": {"neighbours": k} or "summarise": k'
)


def read_baseline(
    asked: Any, card: ModelCard, rows: Rows, max_rows: int, stored: Stored = no_backgrounds
) -> tuple[Baseline, Arrays]:
    """The baseline and the arrays that travel with it, `baseline/<input>` or `background/<input>`.

    `stored`: a stored background by its id.

    Raises InvalidBaseline when it does not fit the model, InputNotFinite, PayloadTooLarge on too many background rows.
    """
    if isinstance(asked, str) and asked in NAMED:
        _check_named(asked, card)
        return Baseline.model_validate({"kind": asked}), {}
    kinds = [name for name in asked if name not in BESIDE] if isinstance(asked, dict) else []
    if kinds not in (["value"], ["tensor"], ["background"]) or (kinds != ["background"] and len(asked) > 1):
        raise fault(InvalidBaseline, "baseline", f"must be {FORMS}")
    kind, body = kinds[0], asked[kinds[0]]
    if kind == "value":
        return Baseline(kind="value", value=_value(body, card)), {}
    try:
        if kind == "tensor":
            arrays = _tensors(body, card, rows)
        elif (named := background_id(body)) is not None:
            arrays = _stored(stored(named), card, rows)
        else:
            arrays = _fitting(read_background(body, card, max_rows), rows)
    except InvalidInput as error:
        raise InvalidBaseline(error.detail, error.errors) from None
    beside = read_beside(asked, len(next(iter(arrays.values()))))
    return Baseline.model_validate({"kind": kind, **beside}), arrays


def _check_named(name: str, card: ModelCard) -> None:
    for spec in card.sent:
        if spec.modality == "text" and name in ("mean", "blur"):
            message = (
                f'"{name}" is not for texts, and input {spec.name} is one; leave it out: absent tokens become the mask token'
            )
            raise fault(InvalidBaseline, "baseline", message)
        if name == "blur" and spec.modality != "image":
            raise fault(
                InvalidBaseline, "baseline", f'"blur" is for images, and input {spec.name} is none; use another baseline'
            )
        if name == "mean" and spec.modality not in ("image", "series") and card.sample is None:
            message = f'"mean" needs sample rows for input {spec.name}, and the card names none; use another baseline'
            raise fault(InvalidBaseline, "baseline", message)


def _value(value: Any, card: ModelCard) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise fault(InvalidBaseline, "baseline.value", "must be a finite number")
    for spec in card.sent:
        low, high = limits(spec.datatype)
        if not low <= value <= high or (spec.datatype not in FLOATS and value != int(value)):
            raise fault(
                InvalidBaseline, "baseline.value", f"must be a number that {spec.datatype} holds, for input {spec.name}"
            )
    return float(value)


def _by_input(body: Any, card: ModelCard, loc: str) -> dict[str, Any] | None:
    """The parts of an object by input name; None when `body` is not such an object."""
    names = {spec.name for spec in card.sent}
    if isinstance(body, dict) and set(body) == names:
        return body
    if len(names) > 1:
        raise fault(InvalidBaseline, loc, f"must be an object with exactly these inputs: {', '.join(sorted(names))}")
    return None


def _tensors(body: Any, card: ModelCard, rows: Rows) -> Arrays:
    parts = _by_input(body, card, "baseline.tensor") or {card.sent[0].name: body}
    return {f"baseline/{spec.name}": _tensor(parts[spec.name], spec, rows) for spec in card.sent}


def _tensor(value: Any, spec: InputSpec, rows: Rows) -> NDArray[Any]:
    """One input's baseline, [1 or rows, *row shape]."""
    loc = "baseline.tensor"
    array = tensor_from_nested(spec.datatype, plain(value, spec, loc), loc)
    if array.ndim == len(spec.row_shape):
        array = array[None]
    shape = rows.shapes[spec.name]
    if array.ndim != len(shape) + 1 or not fits(array.shape[1:], shape) or array.shape[0] not in (1, rows.count):
        message = f"must be one row of input {spec.name}, of shape {list(shape)}, or one such row for each of the job's rows"
        raise fault(InvalidBaseline, loc, message)
    return array


def background_id(body: Any) -> str | None:
    """The id of a stored background, where `body` names one."""
    named = body.get("id") if isinstance(body, dict) and set(body) == {"id"} else None
    return named if isinstance(named, str) and named.startswith("sha256:") else None


def _stored(blob: bytes, card: ModelCard, rows: Rows) -> Arrays:
    """A stored background, if it was stored for a model of such inputs."""
    arrays = unpack(blob)
    wanted = {f"background/{spec.name}": NUMPY_NAMES[spec.datatype] for spec in card.sent}
    if {name: str(array.dtype) for name, array in arrays.items()} != wanted:
        raise fault(InvalidBaseline, "baseline.background", "was stored for a model of other inputs; store one for this")
    count = len(next(iter(arrays.values())))
    shapes = {name.removeprefix("background/"): array.shape[1:] for name, array in arrays.items()}
    return _fitting(Rows(count, arrays, shapes), rows)


def _fitting(background: Rows, rows: Rows) -> Arrays:
    for name, shape in background.shapes.items():
        if not fits(shape, rows.shapes[name]):
            message = f"must hold rows shaped like the job's rows of input {name}, {list(rows.shapes[name])}"
            raise fault(InvalidBaseline, "baseline.background", message)
    return background.arrays


def read_background(body: Any, card: ModelCard, max_rows: int, loc: str = "baseline.background") -> Rows:
    """The rows of a background set. Raises InvalidBaseline, InvalidInput, InputNotFinite, PayloadTooLarge."""
    parts = None if isinstance(body, list) else _by_input(body, card, loc)
    if parts is not None and all(isinstance(part, list) for part in parts.values()):
        background = _columns(parts, card, max_rows, loc)
    elif isinstance(body, list):
        background = read_instances(body, card, max_rows, loc, "background")
    else:
        raise fault(InvalidBaseline, loc, "must be a list of rows, or an object with a list of rows for each input")
    if background.encodings:
        raise fault(InvalidBaseline, loc, "cannot hold image files or texts; send numbers")
    return background


def _columns(parts: dict[str, list[Any]], card: ModelCard, max_rows: int, loc: str) -> Rows:
    """Background rows given input by input."""
    counts = {len(part) for part in parts.values()}
    if len(counts) > 1:
        raise fault(InvalidBaseline, loc, "must have the same number of rows for each input")
    check_count(min(counts), max_rows, loc)
    arrays = {spec.name: read_column(spec, parts[spec.name], f"{loc}.{spec.name}") for spec in card.sent}
    named = {f"background/{name}": array for name, array in arrays.items()}
    return Rows(min(counts), named, {name: array.shape[1:] for name, array in arrays.items()})
