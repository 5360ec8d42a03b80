"""Can this be computed? A request and what the workers offer -> what both come to. Pure: no Redis, no HTTP.

Everything that the card or the catalogue can tell is checked here, so that it does not fail later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.catalogue import MethodSpec, ModelEntry
from explainery.contract.errors import InvalidInput
from explainery.contract.job import Baseline, CheckOrder, JobRequest, Target
from explainery.contract.layers import AUTO, LayerSpec, chosen
from explainery.contract.model_card import ModelCard
from explainery.contract.tables import check_table
from service.baselines import Stored, read_baseline
from service.choice import Choice, check_method, check_sets, choose_method
from service.faults import fault
from service.inputs import read_tensors
from service.instances import read_instances
from service.need import check_room
from service.quality import read_quality
from service.reasons import check_reasons
from service.rows import Rows
from service.shelf import Shelf
from service.targets import read_target
from service.value_functions import check_value_function

if TYPE_CHECKING:
    from numpy.typing import NDArray

LayersOf = Callable[[str], "Sequence[LayerSpec] | None"]
"""A model's layers by its digest; None while no worker has looked."""


@dataclass(frozen=True, eq=False)
class Checked:
    """What a request asks for, read and complete. `backgrounds`: the arrays of its baselines."""

    entry: ModelEntry
    choice: Choice
    rows: Rows
    target: tuple[Target, ...]
    baseline: Baseline
    backgrounds: dict[str, NDArray[Any]]
    quality: tuple[CheckOrder, ...]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that travels with the job."""
        return {**self.rows.arrays, **self.backgrounds}


def check(request: JobRequest, shelf: Shelf, max_rows: int, layers_of: LayersOf, stored: Stored) -> Checked:
    """Raises a subclass of RequestRefused that says what to change."""
    entry = shelf.usable(request.model)
    check_method(request, entry, shelf)
    rows = _rows(request, entry.card, max_rows)
    check_room(rows, shelf.offer.room_bytes)
    choice = _choice(request, entry, shelf, rows, layers_of)
    quality = read_quality(request.quality, choice.spec, choice.params, entry, shelf)
    check_reasons(request.reasons, choice.spec, entry.card)
    target = read_target(request.target, entry.card, rows.count)
    baseline, backgrounds = read_baseline(request.baseline, entry.card, rows, max_rows, stored)
    check_value_function(choice.spec, baseline)
    return Checked(entry, choice, rows, target, baseline, backgrounds, quality)


def _rows(request: JobRequest, card: ModelCard, max_rows: int) -> Rows:
    if (request.inputs is None) == (request.instances is None):
        raise fault(InvalidInput, "inputs", "or instances must be given, and not both")
    if request.inputs is not None:
        return read_tensors(request.inputs, card, max_rows)
    return read_instances(request.instances or [], card, max_rows)


def _choice(request: JobRequest, entry: ModelEntry, shelf: Shelf, rows: Rows, layers_of: LayersOf) -> Choice:
    """The method, where it can do these rows."""
    choice = choose_method(request, entry, shelf, rows.shapes)
    _check_layer(choice.spec, choice.params, entry.digest, layers_of)
    check_sets(choice, rows.count)
    check_table(choice.spec, choice.params, entry.card, rows.count)
    return choice


def _check_layer(method: MethodSpec, params: Mapping[str, Any], digest: str, layers_of: LayersOf) -> None:
    """Raise what `explainery.contract.layers.chosen` does, where a worker has said which layers there are."""
    asked = params.get("layer", AUTO)
    if method.layer is not None and asked is not None and (layers := layers_of(digest)):
        chosen(layers, asked, method.layer)
