"""Layer report: how each layer was initialised, what it does with the job's rows, and how much of the gradient reaches it.

Gradients are those of the explained score (the target's output), not of a loss: they need no truth about the rows, and do not
fade when the model is sure of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from explainery.contract.layers import LayerSpec
from workers import figures as layer_figures
from workers import findings, initialisation
from workers.figures import LayerFigures, read_figures
from workers.findings import Finding
from workers.game import Params
from workers.parameters import EVERY_LAYER
from workers.questions import Internals, Probe
from workers.whole import ExplainingJob, JobSolution, JobView, WeightFigures

SPEC = MethodSpec(
    name="layer_report",
    title="Layer report",
    summary="How healthy each layer is on the job's rows: initialisation, activations, gradients, and what is wrong in words.",
    asks=("internals",),
    level="job",
    params=(EVERY_LAYER,),
    layer="any",
    all_layers=True,
    calls=Calls(gradients="rows"),
    completeness=False,
    reference="Glorot & Bengio, AISTATS 2010; He et al., ICCV 2015",
)
FEW = "With fewer than {} rows, units that are silent on all of them are not called dead unless the whole layer is."


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job: the weights, and, unless they are broken, one look at all layers for each row."""
    weights = [each for each in view.weights() if _named(each.layer, view.layers, params)]
    found = list(findings.of_weights(weights))
    layers = innermost(view.layers)
    seen: list[LayerFigures] = []
    if all(each.finite for each in weights if each.used):
        probe = Probe(tuple(layer.path for layer in layers), gradients=True, statistics=True)
        answers = yield [(row, Internals(probe)) for row in range(view.rows)]
        seen = read_figures(layers, np.concatenate([answer.statistics for answer in answers]))
        found += [*findings.of_activations(seen, view.rows), *findings.of_gradients(seen)]
    return JobSolution(_report(view, layers, weights, seen, found), notes=_notes(view))


def job_cost(rows: int, params: Params) -> int:
    """Evaluations the job may cost."""
    return rows


def innermost(layers: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """The layers that hold no other: a block's output is its last layer's, or shows in the next."""
    around = {path[:place] for path in (layer.path for layer in layers) for place, letter in enumerate(path) if letter == "."}
    return tuple(layer for layer in layers if layer.path.partition("#")[0] not in around)


def _named(path: str, layers: Sequence[LayerSpec], params: Params) -> bool:
    """Whether an array's layer is one that was asked about."""
    return params["layer"] == "auto" or any(path == layer.path.partition("#")[0] for layer in layers)


def _notes(view: JobView) -> tuple[str, ...]:
    few = view.rows < findings.ROWS_FOR_A_SHARE
    return (FEW.format(findings.ROWS_FOR_A_SHARE),) if few else ()


def _report(
    view: JobView,
    layers: Sequence[LayerSpec],
    weights: Sequence[WeightFigures],
    seen: Sequence[LayerFigures],
    found: Sequence[Finding],
) -> dict[str, Any]:
    by_path = {each.layer.path: each for each in seen}
    last = next((each.slope for each in reversed(seen) if each.slope), None)
    return {
        "text": f"{len(found)} findings." if len(found) != 1 else "1 finding.",
        "rows": view.rows,
        "gradient_of": "the explained score",
        "findings": [each.plain() for each in found],
        "layers": [_layer(layer, by_path.get(layer.path), last) for layer in layers],
        "parameters": [_parameter(each) for each in weights],
        "thresholds": {
            "dead_share": findings.DEAD_SHARE, "rows_for_a_share": findings.ROWS_FOR_A_SHARE,
            "saturated_share": findings.SATURATED_SHARE, "vanishing": findings.VANISHING, "exploding": findings.EXPLODING,
            "zero": layer_figures.ZERO, "too_wide": initialisation.TOO_WIDE, "too_narrow": initialisation.TOO_NARROW,
        },
    }  # fmt: skip


def _layer(layer: LayerSpec, seen: LayerFigures | None, last: float | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "path": layer.path, "type": layer.type, "shape": list(layer.shape), "parameters": layer.parameters,
    }  # fmt: skip
    if seen is None:
        return described
    ratio = None if seen.slope is None or not last else seen.slope / last
    return described | {
        "activation_mean": seen.mean, "activation_variance": seen.variance, "activation_std": math.sqrt(seen.variance),
        "lowest": seen.lowest.min(), "highest": seen.highest.max(), "zeros": seen.zeros, "saturated_share": seen.saturated,
        "units": len(seen.highest), "dead_share": seen.dead if seen.known else None,
        "gradient_norm": seen.slope, "gradient_ratio": ratio,
    }  # fmt: skip


def _parameter(each: WeightFigures) -> Mapping[str, Any]:
    told = ("layer", "type", "name", "shape", "mean", "std", "low", "high", "zeros", "fan_in", "fan_out", "used")
    judged = {"expected_std": initialisation.expected(each), "looks_like": initialisation.looks_like(each)}
    return {name: getattr(each, name) for name in told} | judged
