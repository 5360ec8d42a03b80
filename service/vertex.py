"""Vertex AI's `explanation_spec_override` -> method, parameters, target and baseline of a request of ours.

Spec: Vertex AI, REST reference, ExplanationSpecOverride. Names may be in snake_case or camelCase. What has no counterpart is
refused by name: an explanation by another method than the one asked for would be worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from explainery.contract.errors import RequestRefused
from explainery.contract.model_card import ModelCard
from service.faults import fault
from service.table_row import has_names

HERE = "explanation_spec_override"
NOT_HERE = {
    "xrai_attribution": "XRAI is not offered; ask for integrated gradients, or a method of /v1/methods in parameters.method",
    "examples": "explanations by examples are not offered; see /v1/methods",
}
DEFAULT_PATHS = 10


def read_override(override: Mapping[str, Any] | None, card: ModelCard, players: int | None) -> dict[str, Any]:
    """What the override says, as `parameters` would say it. Raises RequestRefused.

    `players`: how many features share an output, None where only a worker can tell.
    """
    if override is None:
        return {}
    given = _snake(override, HERE, {"parameters", "metadata", "examples_override"})
    if "examples_override" in given:
        raise fault(RequestRefused, f"{HERE}.examples_override", NOT_HERE["examples"])
    asked = _parameters(given.get("parameters", {}), players) | _baseline(given.get("metadata", {}), card)
    return {name: value for name, value in asked.items() if value is not None}


def _parameters(parameters: Any, players: int | None) -> dict[str, Any]:
    here = f"{HERE}.parameters"
    ways = {"sampled_shapley_attribution", "integrated_gradients_attribution"}
    given = _snake(parameters, here, ways | set(NOT_HERE) | {"top_k", "output_indices"})
    for name, why in NOT_HERE.items():
        if name in given:
            raise fault(RequestRefused, f"{here}.{name}", f"cannot be met: {why}")
    if len(ways & set(given)) > 1:
        raise fault(RequestRefused, here, "must name one method")
    return _target(given, here) | _sampled_shapley(given, here, players) | _integrated_gradients(given, here)


def _target(given: Mapping[str, Any], here: str) -> dict[str, Any]:
    if given.get("top_k", 1) != 1:
        raise fault(RequestRefused, f"{here}.top_k", "must be 1: each job explains one output per row; ask once per output")
    indices = given.get("output_indices")
    if indices is None:
        return {}
    if not isinstance(indices, list) or len(indices) != 1:
        raise fault(RequestRefused, f"{here}.output_indices", "must hold one index: ask once per output")
    return {"target": indices[0]}


def _sampled_shapley(given: Mapping[str, Any], here: str, players: int | None) -> dict[str, Any]:
    """Kernel SHAP with as many calls of the model as so many paths would take: one for each feature, and one to begin."""
    if "sampled_shapley_attribution" not in given:
        return {}
    place = f"{here}.sampled_shapley_attribution"
    paths = _snake(given["sampled_shapley_attribution"], place, {"path_count"}).get("path_count", DEFAULT_PATHS)
    _check_count(paths, f"{place}.path_count")
    return {"method": "kernel_shap", "samples": None if players is None else max(4, paths * (players + 1))}


def _integrated_gradients(given: Mapping[str, Any], here: str) -> dict[str, Any]:
    if "integrated_gradients_attribution" not in given:
        return {}
    place = f"{here}.integrated_gradients_attribution"
    asked = _snake(given["integrated_gradients_attribution"], place, {"step_count"})
    if "step_count" in asked:
        _check_count(asked["step_count"], f"{place}.step_count")
    return {"method": "integrated_gradients", "max_steps": asked.get("step_count")}


def _baseline(metadata: Any, card: ModelCard) -> dict[str, Any]:
    """Baselines by input: one each, or, of a model with one input, several that are averaged over."""
    here = f"{HERE}.metadata"
    inputs = _snake(metadata, here, {"inputs"}).get("inputs", {})
    rows: dict[str, list[Any]] = {}
    known = _names(card, set(_object(inputs, f"{here}.inputs")))
    for name, told in inputs.items():
        if name not in known:
            raise fault(RequestRefused, f"{here}.inputs", "names an input that the model does not have")
        baselines = _snake(told, f"{here}.inputs.{name}", {"input_baselines"}).get("input_baselines")
        if not isinstance(baselines, list) or not baselines:
            raise fault(RequestRefused, f"{here}.inputs.{name}.input_baselines", "must be a list of rows")
        rows[name] = baselines
    if not rows:
        return {}
    if set(rows) != known:
        raise fault(RequestRefused, f"{here}.inputs", "must give baselines for all of the model's inputs, or for none")
    if len(rows) == 1 and len(next(iter(rows.values()))) > 1:
        return {"baseline": {"background": next(iter(rows.values()))}}
    if any(len(baselines) > 1 for baselines in rows.values()):
        raise fault(RequestRefused, f"{here}.inputs", "must give one baseline per input, where there are several inputs")
    return {"baseline": {"tensor": {name: baselines[0] for name, baselines in rows.items()}}}


def _names(card: ModelCard, given: set[str]) -> set[str]:
    """What baselines are given for: inputs, or, where these are meant, the features of the only one."""
    names = {spec.name for spec in card.sent}
    features = set(card.sent[0].features or ()) if len(names) == 1 and has_names(card.sent[0]) else set()
    return features if given & features and not given <= names else names


def _check_count(value: Any, loc: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise fault(RequestRefused, loc, "must be a whole number, 1 or more")


def _snake(value: Any, loc: str, known: set[str]) -> dict[str, Any]:
    """An object with its names in snake_case, all of them known."""
    found = {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower(): part for name, part in _object(value, loc).items()}
    if unknown := set(found) - known:
        raise fault(
            RequestRefused, loc, f"has {len(unknown)} names that are not offered; there are: {', '.join(sorted(known))}"
        )
    return found


def _object(value: Any, loc: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fault(RequestRefused, loc, "must be an object")
    return value
