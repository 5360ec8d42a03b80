"""The method "auto": which method answers a job when the client leaves the choice to us, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from explainery.contract.catalogue import MethodSpec, ModelEntry, Param
from explainery.contract.errors import MethodUnavailable

EXACT_PLAYERS = 10
"""Exact Shapley values are affordable up to this many players: 2**10 = 1024 coalitions."""

AUTO = MethodSpec(
    name="auto",
    title="Chosen for the model",
    summary="Exact Shapley values when affordable, integrated gradients when the model gives gradients, else Kernel SHAP.",
    asks=("values",),
    params=(
        Param(
            name="samples", type="integer", minimum=1, unit="model calls per row", help="Passed on where the method takes it."
        ),
        Param(name="tolerance", type="number", minimum=0, help="Passed on where the method takes it."),
        Param(
            name="max_steps",
            type="integer",
            minimum=1,
            unit="gradient calls per row",
            help="Passed on where the method takes it.",
        ),
        Param(
            name="features",
            type="features",
            help="Groups of inputs that move together; only methods that take groups are chosen.",
        ),
    ),
    completeness=True,
    random=True,
    reference="The choice is explainery's own; the job says which method was chosen and why.",
)


def choose(
    entry: ModelEntry, methods: Mapping[str, MethodSpec], params: Mapping[str, Any], players: int | None
) -> tuple[str, str]:
    """Return the method for a model, and the reason as a sentence.

    `players`: how many there are, None where that is not known. Raises MethodUnavailable when nothing works on this model.
    """
    fits = _fitting(entry, methods, params, players)
    if players is not None and players <= EXACT_PLAYERS and fits("exact_shapley"):
        return "exact_shapley", f"Exact Shapley values need only {2**players} coalitions here."
    if fits("integrated_gradients"):
        return "integrated_gradients", "The model gives gradients, and exact Shapley values are out of reach."
    if fits("kernel_shap"):
        grouped = (
            "Feature groups were asked for" if _works(entry, "integrated_gradients") else "The model gives predictions only"
        )
        return "kernel_shap", f"{grouped}, and exact Shapley values are out of reach."
    for name in methods:
        if fits(name):
            return name, "None of the preferred methods works on this model; this one does."
    detail = "No method works on this model with these parameters; see the reasons under /v1/models."
    raise MethodUnavailable(detail, [{"loc": "method", "msg": detail}])


def passed_on(spec: MethodSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of AUTO's parameters that were given and that the chosen method takes."""
    known = {param.name for param in spec.params}
    return {name: value for name, value in params.items() if name in known and value is not None}


def _fitting(
    entry: ModelEntry, methods: Mapping[str, MethodSpec], params: Mapping[str, Any], players: int | None
) -> Callable[[str], bool]:
    """Say of a method by name whether it works on the model, takes the groups asked for, and can bear the players."""
    grouped = params.get("features") is not None

    def fits(name: str) -> bool:
        spec = methods.get(name)
        if spec is None or spec.level == "job" or not _works(entry, name):
            return False
        if grouped and not any(param.name == "features" for param in spec.params):
            return False
        return spec.max_players is None or (players is not None and players <= spec.max_players)

    return fits


def _works(entry: ModelEntry, name: str) -> bool:
    availability = entry.methods.get(name)
    return availability is not None and availability.available
