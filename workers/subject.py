"""From a row and its solution to what a check sees: contributions of players, the flat map, and how far elements may move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explainery.contract.catalogue import MethodSpec
from explainery.contract.model_card import ModelCard
from workers.game import Game, Partition
from workers.points import Row
from workers.questions import Floats, Solution
from workers.recheck import Subject


def subject_of(row: Row, game: Game, solution: Solution, method: MethodSpec, card: ModelCard) -> Subject | None:
    """The explanation as a check sees it; None where it has no values of inputs (attention over something else than them)."""
    if solution.per_player is None and solution.per_element is None:
        return None
    return Subject(game, contributions(row, solution, method), flat_map(solution), method.random, reach_of(row, card))


def flat_map(solution: Solution) -> Floats:
    """All values as the method gave them, flat."""
    if solution.per_player is not None:
        return solution.per_player
    parts = [solution.per_element[name].reshape(-1) for name in sorted(solution.per_element)] if solution.per_element else []
    return np.concatenate(parts) if parts else np.zeros(0)


def contributions(row: Row, solution: Solution, method: MethodSpec) -> Floats:
    """What each player is said to add to the output, [players]: elements are summed, slopes times the way from the baseline."""
    partition = row.partition
    if solution.per_player is not None:
        return solution.per_player
    found = np.zeros(partition.players)
    for name, values in (solution.per_element or {}).items():
        labels = _labels(partition, name, values.shape)
        playing = labels >= 0
        way = _way(row, name) if method.slopes and name not in partition.texts else np.ones(values.shape)
        found += np.bincount(labels[playing], (values * way)[playing], partition.players)
    return found


def reach_of(row: Row, card: ModelCard) -> dict[str, Floats]:
    """How far each element of an input of floats moves at radius 1: its input's range; in a table its way from the baseline."""
    reach = {}
    for spec in card.inputs:
        if row.precision[spec.name].kind == "f" and not spec.filled:
            whole = np.full(tuple(row.instance[spec.name].shape[1:]), row.span[spec.name])
            reach[spec.name] = np.abs(_way(row, spec.name)) if spec.modality == "tabular" else whole
    return reach


def _labels(partition: Partition, name: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The player of each value: of an element, or of a text's unit."""
    labels, text = partition.labels[name], partition.texts.get(name)
    if text is None or shape == labels.shape:
        return labels
    plays = text.of_token >= 0
    of_unit = np.full(len(text.names), -1, dtype=np.int64)
    of_unit[text.of_token[plays]] = labels[plays]
    return of_unit


def _way(row: Row, name: str) -> Floats:
    """Instance less baseline (the mean of several, by what each weighs), shaped like one row."""
    baseline = row.mean(row.model.fetch(row.baselines[name])[None])[0]
    return np.asarray(row.model.fetch(row.instance[name])[0] - baseline)
