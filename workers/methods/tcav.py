"""TCAV: whether a concept, given by examples of it, matters for the score.

A direction in a layer separates the concept's rows from random ones. The TCAV score is the share of the example rows whose
score rises when their activation moves along it; it counts only when it differs from what random sets score against each other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.concept_sets import ConceptSets, read_sets
from explainery.contract.errors import InvalidInput, InvalidParameter
from explainery.contract.layers import LayerSpec
from workers.concepts import Chance, Concepts, Tested
from workers.game import Params
from workers.parameters import LAYER
from workers.questions import Internals, Map, Probe
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="tcav",
    title="Testing with concept activation vectors",
    summary="Whether concepts that are given by examples matter for the score at a layer, with a test against random sets.",
    asks=("internals",),
    level="job",
    layer="any",
    params=(
        LAYER,
        Param(
            name="sets",
            type="sets",
            default=None,
            help=(
                'Needed: a label for each row of the job, "example" (whose score is explained), a concept\'s name, or '
                '"random/<k>". '
                "Each set needs 5 rows, and there must be 3 random sets, better ten or more."
            ),
        ),
        Param(
            name="significance",
            type="number",
            default=0.05,
            minimum=1e-6,
            maximum=0.5,
            help="The p-value below which a concept is called significant; it is shared out over the concepts of a job.",
        ),
    ),
    calls=Calls(gradients="rows"),
    completeness=False,
    reference="Kim et al., Interpretability Beyond Feature Attribution (TCAV), ICML 2018",
)

MOST_NUMBERS = 2**27
"""Of the layer's activations over all rows, which are kept in memory: 1 GiB."""
WEAK = 0.7
"""Rows told apart under this share: the layer hardly holds the concept."""


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job: one look at each row, then directions and tests."""
    sets, layer = read_sets(params["sets"], view.rows), view.layers[0]
    if view.rows * math.prod(layer.shape) > MOST_NUMBERS:
        message = (
            f"puts out {math.prod(layer.shape)} numbers a row, which is too much for {view.rows} rows: take a smaller layer"
        )
        raise InvalidParameter(f"Layer {layer.path} {message}.", [{"loc": "params.layer", "msg": message}])
    others = [row for rows in (*sets.concepts.values(), *sets.randoms.values()) for row in rows]
    slopes = yield [(row, Internals(Probe((layer.path,), gradients=True))) for row in sets.examples]
    seen = yield [(row, Internals(Probe((layer.path,), activations=True))) for row in others]
    if len({answer.activations[layer.path].shape for answer in seen}) > 1:
        raise InvalidInput(f"Layer {layer.path} puts out another shape for each row's length: take one behind the pooling.")
    place = {row: number for number, row in enumerate(others)}
    concepts = Concepts(
        np.stack([answer.activations[layer.path].reshape(-1) for answer in seen]),
        np.stack([answer.gradients[layer.path].reshape(-1) for answer in slopes]),
    )
    randoms = [[place[row] for row in rows] for rows in sets.randoms.values()]
    chance = concepts.chance(randoms)
    tested = {name: concepts.test([place[row] for row in rows], randoms, chance) for name, rows in sets.concepts.items()}
    report = _report(sets, layer, tested, chance, params["significance"])
    maps = (_direction(number, each, layer) for number, each in enumerate(tested.values()))
    notes = (INSENSITIVE,) if concepts.insensitive else ()
    return JobSolution(report, tuple(maps), notes)


INSENSITIVE = (
    "The score does not react to this layer at all: it is not on the way to the output, or a dead layer lies behind it."
)


def job_cost(rows: int, params: Params) -> int:
    """Evaluations the job may cost."""
    return rows


def _direction(number: int, tested: Tested, layer: LayerSpec) -> Map:
    shape = layer.shape if math.prod(layer.shape) == tested.direction.size else tested.direction.shape
    axes = tuple(f"axis_{axis}" for axis in range(len(shape)))
    return Map(f"direction_{number}", tested.direction.reshape(shape), axes, layer.path)


def _report(
    sets: ConceptSets, layer: LayerSpec, tested: dict[str, Tested], chance: Chance, significance: float
) -> dict[str, Any]:
    level = significance / len(tested)
    described = [
        _concept(name, len(sets.concepts[name]), number, each, chance, level)
        for number, (name, each) in enumerate(tested.items())
    ]
    return {
        "text": " ".join(each["text"] for each in described),
        "layer": layer.path,
        "examples": len(sets.examples),
        "random_sets": len(sets.randoms),
        "concepts": described,
        "random": {"score": chance.scores.mean(), "scores": chance.scores, "sensitivities": chance.sensitivities},
        "significance": significance,
        "level": level,
    }


def _concept(name: str, rows: int, number: int, tested: Tested, chance: Chance, level: float) -> dict[str, Any]:
    significant = max(tested.p_score, tested.p_sensitivity) < level
    return {
        "concept": name,
        "map": f"direction_{number}",
        "rows": rows,
        "score": tested.scores.mean(),
        "scores": tested.scores,
        "p_value": tested.p_score,
        "sensitivity": tested.sensitivity,
        "sensitivity_p_value": tested.p_sensitivity,
        "accuracy": tested.accuracy,
        "significant": significant,
        "text": _words(name, tested, chance, level, significant=significant),
    }


def _words(name: str, tested: Tested, chance: Chance, level: float, *, significant: bool) -> str:
    score, usual = tested.scores.mean(), chance.scores.mean()
    weak = (
        f" The layer tells its rows from random ones in {tested.accuracy:.0%} of cases only." if tested.accuracy < WEAK else ""
    )
    if significant:
        does = "raises" if tested.sensitivity > 0 else "lowers"
        share = score if tested.sensitivity > 0 else 1 - score
        figures = f"random directions: {usual if tested.sensitivity > 0 else 1 - usual:.0%}; p = {tested.p_score:.2g}"
        return f"{name}: moving towards it {does} the score of {share:.0%} of the examples ({figures}).{weak}"
    why = f"p = {tested.p_score:.2g} for its score, {tested.p_sensitivity:.2g} for its sensitivity, {level:.2g} needed"
    return f"{name}: not significant, random sets do as much ({why}); its score of {score:.2f} says nothing.{weak}"
