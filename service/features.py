"""Players: the `features` parameter checked against the card, and how many players it makes.

The same rules as the workers' modalities, on shapes alone: what they would refuse is refused here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from explainery.contract.errors import InvalidInput, InvalidParameter
from explainery.contract.feature_groups import text_unit
from explainery.contract.model_card import InputSpec, ModelCard
from explainery.contract.tensors import tensor_from_nested
from service.faults import fault
from service.rows import ANY, fits

Shape = tuple[int, ...]
LOC = "params.features"
OWN_FORMS = {"image": ("grid", "superpixels"), "tabular": ("groups",), "series": ("window",), "text": ("text",)}
"""Which forms of `features` each modality understands, besides "elements" and {"labels": ...}."""
DEFAULT_GRID = 8
DEFAULT_WINDOWS = 16


def count_players(card: ModelCard, features: Any, shapes: Mapping[str, Shape]) -> int | None:
    """How many players `features` (None: the modality's own) makes; None where only a worker can tell.

    Raises InvalidParameter when `features` does not fit the model.
    """
    if text_unit(features) and any(spec.modality == "text" for spec in card.sent):
        features = None  # said of the texts alone
    counts = [_players(spec, shapes[spec.name], features, len(card.sent)) for spec in card.sent]
    return None if None in counts else sum(count for count in counts if count is not None)


def _players(spec: InputSpec, shape: Shape, features: Any, inputs: int) -> int | None:
    if features == "elements":
        return None if spec.modality == "text" else _elements(shape)
    if features is None:
        return _default(spec, shape)
    form: str
    body: Any
    form, body = ("text", features) if isinstance(features, str) else next(iter(features.items()))
    if form == "labels":
        labels = _labelled(spec, shape, body, inputs)
        return None if spec.modality == "text" else labels  # special tokens do not play: a worker can tell
    if form not in OWN_FORMS.get(spec.modality, ()):
        own = "".join(f'{{"{each}": ...}}, ' for each in OWN_FORMS.get(spec.modality, ()))
        own = '"tokens", "words", "sentences", ' if spec.modality == "text" else own
        message = f'does not fit input {spec.name} ({spec.modality}); it takes {own}"elements" or {{"labels": ...}}'
        raise fault(InvalidParameter, LOC, message)
    if form == "text":
        return None  # how many tokens, words or sentences there are is for the tokenizer to say
    checks: dict[str, Callable[[InputSpec, Shape, Any], int | None]]
    checks = {"grid": _grid, "superpixels": _superpixels, "groups": _groups, "window": _window}
    return checks[form](spec, shape, body)


def _default(spec: InputSpec, shape: Shape) -> int | None:
    if spec.modality == "tabular" and spec.groups:
        return _grouped(spec, spec.groups)
    if spec.modality == "image":
        height, width = image_size(spec, shape)
        return None if ANY in (height, width) else min(DEFAULT_GRID, height) * min(DEFAULT_GRID, width)
    if spec.modality == "series":
        steps = shape[_time_axis(spec)]
        return None if steps == ANY else -(-steps // -(-steps // DEFAULT_WINDOWS))
    return None if spec.modality == "text" else _elements(shape)


def _elements(shape: Shape) -> int | None:
    return None if ANY in shape else math.prod(shape)


def _labelled(spec: InputSpec, shape: Shape, labels: Any, inputs: int) -> int:
    of_input = labels.get(spec.name) if isinstance(labels, Mapping) else labels
    if inputs > 1 and not isinstance(labels, Mapping):
        raise fault(InvalidParameter, f"{LOC}.labels", "must be an object with the labels of each input")
    try:
        array = tensor_from_nested("INT64", of_input, f"{LOC}.labels")
    except InvalidInput as error:
        raise InvalidParameter(error.detail, error.errors) from None
    if not fits(array.shape, shape):
        message = f"must be whole numbers shaped like one row of input {spec.name}: {list(shape)}"
        raise fault(InvalidParameter, f"{LOC}.labels", message)
    return len(set(array.reshape(-1).tolist()))


def _groups(spec: InputSpec, shape: Shape, groups: Mapping[str, list[str]]) -> int:
    if spec.features is None:
        raise fault(
            InvalidParameter, f"{LOC}.groups", f"needs feature names, and the card of input {spec.name} has none; use labels"
        )
    members = [member for group in groups.values() for member in group]
    unknown = set(members) - set(spec.features)
    if unknown:
        known = ", ".join(spec.features[:12]) + (", ..." if len(spec.features) > 12 else "")
        raise fault(
            InvalidParameter, f"{LOC}.groups", f"names {len(unknown)} features that input {spec.name} lacks; it has: {known}"
        )
    if len(set(members)) != len(members):
        raise fault(InvalidParameter, f"{LOC}.groups", "names a feature twice; a feature is in one group at most")
    return _grouped(spec, groups)


def _grouped(spec: InputSpec, groups: Mapping[str, Any]) -> int:
    """Groups, and every feature that is in none."""
    return len(groups) + len(spec.features or ()) - sum(map(len, groups.values()))


def _grid(spec: InputSpec, shape: Shape, grid: Any) -> int:
    axes = [grid, grid] if isinstance(grid, int) else list(grid)
    limits = image_size(spec, shape)
    if len(axes) != 2 or any(limit not in (ANY,) and axis > limit for axis, limit in zip(axes, limits, strict=False)):
        message = f"must be one or two numbers, at most the image's size: {list(limits)} for input {spec.name}"
        raise fault(InvalidParameter, f"{LOC}.grid", message)
    return int(axes[0] * axes[1])


def _superpixels(spec: InputSpec, shape: Shape, count: int) -> None:
    """How many there are, only a worker can tell: about so many. Raises InvalidParameter where there are not enough pixels."""
    height, width = image_size(spec, shape)
    if ANY not in (height, width) and count > height * width:
        raise fault(InvalidParameter, f"{LOC}.superpixels", f"must be at most the {height * width} pixels of input {spec.name}")


def _window(spec: InputSpec, shape: Shape, window: Any) -> int | None:
    if not isinstance(window, int):
        raise fault(InvalidParameter, f"{LOC}.window", "must be one whole number of steps")
    steps = shape[_time_axis(spec)]
    return None if steps == ANY else -(-steps // window)


def check_sizes(card: ModelCard, name: str, sizes: Any, shapes: Mapping[str, Shape]) -> None:
    """Check a parameter of type "sizes": one number, one per axis of a row, or one per axis that a window slides on."""
    if not isinstance(sizes, list):
        return
    for spec in card.sent:
        rank = len(shapes[spec.name])
        sliding = {"image": 2, "series": 1}.get(spec.modality, rank)
        if len(sizes) not in (rank, sliding):
            wanted = " or ".join(str(count) for count in sorted({rank, sliding}))
            raise fault(InvalidParameter, f"params.{name}", f"needs {wanted} sizes for input {spec.name}, or one for all")


def image_size(spec: InputSpec, shape: Shape) -> tuple[int, int]:
    """Height and width of an image row."""
    layout = str(spec.layout)[1:]
    return shape[layout.index("H")], shape[layout.index("W")]


def _time_axis(spec: InputSpec) -> int:
    return 1 if spec.layout == "NCT" else 0
