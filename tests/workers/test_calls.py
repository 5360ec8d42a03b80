"""What a method says it will ask is what it asks: for every method, through the door and the real engine.

The door's count is made of formulas alone; the worker's is what the engine has counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explainery.contract.catalogue import MethodSpec, ModelEntry, Verdict
from explainery.contract.errors import ExplaineryError
from explainery.contract.job import JobRequest, JobSpec
from explainery.contract.result import Cost
from explainery.contract.tensors import pack, unpack_result
from explainery.store.jobs import Claim
from service.admission import Admitted, Terms, admit
from service.shelf import Shelf
from workers.batch import Batch
from workers.local import Local
from workers.named_layers import layers_seen
from workers.offering import offer_of
from workers.registry import discover

PLUGINS = discover().methods
MODELS = ("linear", "smooth", "cnn", "table", "both", "onnx", "series", "tokens", "trees")
FRUGAL: dict[str, dict[str, Any]] = {
    "kernel_shap": {"samples": 60},
    "permutation_shapley": {"samples": 150},
    "expected_gradients": {"samples": 64},
    "lime": {"samples": 60},
    "rise": {"samples": 70},
    "owen": {"samples": 300},
    "sobol": {"samples": 400},
    "hsic": {"samples": 100},
    "guided_ig": {"max_steps": 20},
    "permutation_importance": {"repeats": 3},
    "score_cam": {"samples": 3},
    "blur_ig": {"max_steps": 70},
    "xrai": {"max_steps": 70},
    "integrated_gradients": {"max_steps": 70},
    "activation_maximization": {"steps": 9, "starts": 2},
    "tcav": {"sets": [*["example"] * 5, *["c"] * 5, *(f"random/{k}" for k in range(3) for _ in range(5))]},
}
UNITS = {"smooth": [0], "cnn": [0, 0, 0], "both": [0], "tokens": [0, 0]}
RULELESS = {("lrp", "tokens")}


@pytest.fixture(scope="module")
def shelf(lab: Local) -> Shelf:
    found, seen = lab.repository.scan(), {}
    for name in MODELS:
        loaded = lab.load(name)
        verdict: Verdict = getattr(loaded.model, "verdict", None) or Verdict()
        seen[loaded.ref.digest] = verdict.model_copy(update={"layers": layers_seen(loaded.model)})
    return Shelf(offer_of(lab.registry, found, lab.settings, seen.get))


def request(lab: Local, spec: MethodSpec, entry: ModelEntry, background: int, **params: Any) -> JobRequest:
    rows = 25 if spec.name == "tcav" else 3
    rng = np.random.Generator(np.random.Philox(key=[5, len(entry.name)]))
    drawn = [
        {each.name: rng.normal(size=each.row_shape).tolist() for each in entry.card.sent} for _ in range(rows + background)
    ]
    given = {**FRUGAL.get(spec.name, {}), **params}
    if any(param.name == "unit" for param in spec.params) and spec.level == "row":
        given["unit"] = UNITS.get(entry.name, [0])
    more = {"baseline": {"background": drawn[rows:]}} if background else {"baseline": "zeros"}
    return JobRequest.model_validate(
        {
            "target": 0 if spec.level == "job" else "predicted",
            "model": entry.name,
            "method": spec.name,
            "params": given,
            "instances": drawn[:rows],
            "seed": 3,
            **more,
        }
    )


def ran(lab: Local, admitted: Admitted) -> Cost:
    """What the engine counts. Raises what the job fails with."""
    batch = Batch(lab.load(admitted.spec.model.name), lab.registry, lab.governor, lab.settings.batch_rows)
    batch.admit(Claim(admitted.spec, 1, 1, 0, 0, None, pack(admitted.arrays)))
    while True:
        batch.plan()
        finished, failures = batch.step()
        for _, error in failures:
            raise error
        if finished:
            return unpack_result(finished[0].result())[0].cost


def check(job: JobSpec, cost: Cost) -> bool:
    """Whether the estimate was exact; that it holds, in any case."""
    assert job.estimate is not None
    for said, done in (
        (job.estimate.model_evaluations, cost.model_evaluations),
        (job.estimate.gradient_evaluations, cost.gradient_evaluations),
    ):
        assert said.at_most is not None
        assert said.least <= done <= said.at_most, (said, done)
        assert said.least <= said.expected <= said.at_most
        assert not said.exact or done == said.at_most == said.expected, (said, done)
    return job.estimate.model_evaluations.exact and job.estimate.gradient_evaluations.exact


ADAPTIVE = {
    "kernel_shap", "permutation_shapley", "expected_gradients", "score_cam", "integrated_gradients", "layer_conductance",
    "layer_integrated_gradients", "neuron_integrated_gradients", "owen", "blur_ig", "xrai", "ice", "partial_dependence",
}  # fmt: skip
NOT_BY_TOLERANCE = {"expected_gradients", "owen"}
"""Never exact, or exact where the samples pay for every coalition whatever the tolerance."""
FOLLOWS_DATA = {"counterfactual", "anchors"}
"""What a table's rows decide: how far the outcome is. They say no calls; a guess is made."""


@pytest.mark.parametrize("background", [0, 2])
@pytest.mark.parametrize("method", sorted(set(PLUGINS) - FOLLOWS_DATA))
def test_the_calls_of_every_method_are_foretold(lab: Local, shelf: Shelf, method: str, background: int) -> None:
    spec, tried = PLUGINS[method].SPEC, 0
    if background and spec.level == "job":
        pytest.skip("baselines play no part")
    for model in MODELS:
        entry = shelf.models[model][0]
        if not entry.methods[method].available or (method, model) in RULELESS:
            continue
        if spec.max_players is not None and (entry.players or 0) > 10:
            continue
        for params in variants(spec):
            admitted = admit(request(lab, spec, entry, background, **params), shelf, Terms(), job_id="0" * 26)
            try:
                cost = ran(lab, admitted)
            except ExplaineryError as error:
                assert error.code in ("invalid_parameter", "no_spatial_map"), error.detail  # noqa: PT017
                continue
            exact = check(admitted.spec, cost)
            assert exact or method in ADAPTIVE, (model, params)
            assert exact is not (method in ADAPTIVE and params.get("tolerance") != 0) or method in NOT_BY_TOLERANCE
            tried += 1
    assert tried


def variants(spec: MethodSpec) -> list[dict[str, Any]]:
    """A method that refines also without a tolerance: then nothing is left to the answers."""
    return [{}, {"tolerance": 0.0}] if any(param.name == "tolerance" for param in spec.params) else [{}]


def test_windows_of_every_size(lab: Local, shelf: Shelf) -> None:
    spec = PLUGINS["occlusion"].SPEC
    for params in ({"window": 3, "stride": 2}, {"window": [2, 4], "stride": 1}, {"window": 8}, {"window": 5, "stride": 5}):
        job = admit(request(lab, spec, shelf.models["cnn"][0], 0, **params), shelf, Terms(), job_id="0" * 26)
        assert check(job.spec, ran(lab, job)), params


@pytest.mark.parametrize("features", ["elements", {"grid": 3}, {"grid": [2, 4]}])
def test_groups_of_every_form(lab: Local, shelf: Shelf, features: Any) -> None:
    spec = PLUGINS["feature_ablation"].SPEC
    job = admit(request(lab, spec, shelf.models["cnn"][0], 0, features=features), shelf, Terms(), job_id="0" * 26)
    assert check(job.spec, ran(lab, job))


@pytest.mark.parametrize(
    ("model", "params", "exact"),
    [
        ("table", {}, True),
        ("table", {"hierarchy": [["age", "sex"], [["income"]]]}, True),
        ("linear", {"hierarchy": [[0, 2]], "samples": 16}, True),
        ("linear", {"hierarchy": [[0, 2]], "samples": 7, "tolerance": 0.0}, True),
        ("linear", {"samples": 9}, False),
        ("cnn", {"samples": 3000}, True),
        ("cnn", {"samples": 300, "tolerance": 0.0}, True),
        ("cnn", {"features": {"grid": [2, 3]}, "samples": 60}, True),
        ("series", {"samples": 600}, True),
        ("tokens", {"samples": 20_000}, True),
        ("both", {"samples": 4096}, False),
    ],
)
def test_coalitions_of_hierarchies_are_counted_at_the_door(
    lab: Local, shelf: Shelf, model: str, params: dict[str, Any], exact: bool
) -> None:
    job = admit(request(lab, PLUGINS["owen"].SPEC, shelf.models[model][0], 0, **params), shelf, Terms(), job_id="0" * 26)
    assert check(job.spec, ran(lab, job)) is exact


GIVEN = {"age": [1, 2, 2, 3.00000001, 3], "sex_f": [0, 1], "sex_m": [0, 1], "income": [5.5]}


@pytest.mark.parametrize("method", ["ice", "partial_dependence"])
@pytest.mark.parametrize(
    ("params", "exact"),
    [
        ({"values": GIVEN}, True),
        ({"of": ["age", ["age", "income"]], "values": GIVEN}, True),
        ({"of": ["age", ["age", "income"]], "values": {"age": [1, 2]}}, False),
        ({"grid": 2}, False),
    ],
)
def test_points_of_curves_are_counted_at_the_door(
    lab: Local, shelf: Shelf, method: str, params: dict[str, Any], exact: bool
) -> None:
    job = admit(request(lab, PLUGINS[method].SPEC, shelf.models["table"][0], 0, **params), shelf, Terms(), job_id="0" * 26)
    assert check(job.spec, ran(lab, job)) is exact


def test_a_baseline_that_is_known_from_before_costs_the_same(lab: Local, shelf: Shelf) -> None:
    """A look at the instance frames the answer, and the baseline's output is remembered between jobs."""
    job = admit(request(lab, PLUGINS["lrp"].SPEC, shelf.models["smooth"][0], 0), shelf, Terms(), job_id="0" * 26)
    first, second = ran(lab, job), ran(lab, job)
    assert (first.model_evaluations, first.gradient_evaluations) == (3, 3)
    assert (second.model_evaluations, second.gradient_evaluations) == (3, 3)


def test_methods_say_what_they_ask() -> None:
    for name, plugin in PLUGINS.items():
        assert (plugin.SPEC.calls is None) is (name in FOLLOWS_DATA), name
