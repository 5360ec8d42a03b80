"""Who answers for which model of a batch: its own, and copies of it with shuffled weights that checks have asked for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from workers.answering import Answering
from workers.plugins import Model


class Answerings:
    """Each model in use has a place, 0 the batch's own. Places are used again, so that kinds of calls stay few."""

    def __init__(self, model: Model) -> None:
        self._known: dict[int, tuple[Model, Answering]] = {0: (model, Answering(model))}

    def place(self, model: Model) -> int:
        """The model's place; a free one if it has none."""
        for place, (known, _) in self._known.items():
            if known is model:
                return place
        free = next(place for place in count(1) if place not in self._known)
        self._known[free] = model, Answering(model)
        return free

    def of(self, model: Model) -> Answering:
        """Who answers for a model."""
        return self._known[self.place(model)][1]

    def keep(self, used: Iterable[Model]) -> None:
        """Let go of the copies that are not in use."""
        wanted = {id(model) for model in used}
        for place, (model, _) in tuple(self._known.items()):
            if place and id(model) not in wanted:
                del self._known[place]
