"""What formulas of calls ask for besides parameters: how many players, windows, places and curves a job makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from explainery.contract.curve_points import points_asked
from explainery.contract.errors import InvalidParameter
from explainery.contract.formula import Lookup, Unknown
from explainery.contract.hierarchies import coalitions_asked
from explainery.contract.model_card import InputSpec, ModelCard
from explainery.contract.windows import places_in, window_and_stride, windows_in

Shape = tuple[int, ...]


@dataclass(frozen=True)
class RowSizes:
    """A job's rows in sizes. `shapes`: input -> shape of one row, -1 where only a worker can tell. `players`: None likewise."""

    card: ModelCard
    shapes: Mapping[str, Shape]
    rows: int
    players: int | None

    def look_up(self, params: Mapping[str, Any]) -> Lookup:
        """Values of names in a formula. Raises Unknown."""
        made: dict[str, Callable[[], int]] = {
            "players": self._players,
            "windows": lambda: sum(windows_in(shape, *_fitted(spec, shape, params)) for spec, shape in self._inputs()),
            "places": lambda: sum(places_in(spec, shape) for spec, shape in self._inputs()),
            "smooth": lambda: int(any(spec.modality in ("image", "series") for spec in self.card.sent)),
            "rows": lambda: self.rows,
            "coalitions": lambda: coalitions_asked(self.card, params, self._players()),
            "points": lambda: self._points(params)[0],
            "fewest_points": lambda: self._points(params)[1],
        }

        def value(name: str) -> Any:
            if name in made:
                return made[name]()
            given = params.get(name)
            if not isinstance(given, (int, float)):
                raise Unknown(name)
            return given

        return value

    @property
    def key(self) -> str:
        """The shapes as text, alike for all jobs whose rows have them."""
        return ",".join(f"{name}:{'x'.join(map(str, self.shapes.get(name, (-1,))))}" for name in sorted(self.shapes))

    def _players(self) -> int:
        if self.players is None:
            raise Unknown("players")
        return self.players

    def _points(self, params: Mapping[str, Any]) -> tuple[int, int]:
        try:
            return points_asked(self.card, params)
        except KeyError:  # a name that is not there: the worker says so
            raise Unknown("points") from None

    def _inputs(self) -> list[tuple[InputSpec, Shape]]:
        """Inputs that play, with one row's shape. Raises Unknown where it is open, or a text's, which its tokenizer decides."""
        pairs = [(spec, self.shapes[spec.name]) for spec in self.card.sent]
        if any(spec.modality == "text" or -1 in shape for spec, shape in pairs):
            raise Unknown("shape")
        return pairs


def _fitted(spec: InputSpec, shape: Shape, params: Mapping[str, Any]) -> tuple[Shape, Shape]:
    try:
        return window_and_stride(spec, shape, params)
    except InvalidParameter:  # the worker says so: here it only means that nothing can be counted
        raise Unknown("windows") from None
