"""The methods with rules of their own as jobs: many at a time on one cached model, and nothing of them stays on it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import repos
import torch
from captum.attr import DeepLift, GuidedBackprop
from inner_nets import resnet
from ruled_nets import copied_before_pools
from under_rules import frozen

from explainery.contract.errors import OperationWithoutRule
from explainery.contract.job import Baseline
from explainery.settings import Settings
from workers.local import Local, Order
from workers.offering import offer_of

PICTURE = repos.tensor_input("input", [3, 16, 16], modality="image", layout="NCHW")
METHODS = ("deep_lift", "lrp", "guided_backprop", "deconvolution", "saliency", "input_x_gradient")

pytestmark = pytest.mark.filterwarnings("ignore:Setting (forward, )?backward hooks")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("models")
    repos.add_torch(folder, "resnet", "inner_nets:resnet", {"reused": True}, PICTURE, repos.output(5))
    repos.add_torch(
        folder, "gru", "inner_nets:recurrent", {"kind": "gru"}, repos.tensor_input("input", [6, 4]), repos.output(3)
    )
    return Local(Settings(models=str(folder), factories=("inner_nets",), device="cpu", threads=1))


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, 16, 16)).astype(np.float32)


def plain_net() -> torch.nn.Module:
    """The same weights, with ReLUs that are used once: what captum wants."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reused = resnet(reused=True)
    net = resnet(reused=False)
    net.load_state_dict(reused.state_dict())
    return frozen(net)


def explained(lab: Local, method: str, rows: np.ndarray, **params: object) -> np.ndarray:
    return lab.explain("resnet", Order(method, {"input": rows}, params, target=2))[1]["attributions.input"]


def test_as_captum_has_it_on_a_reused_relu(lab: Local) -> None:
    net, rows = plain_net(), pictures(3)
    x = torch.from_numpy(rows).requires_grad_()
    for method, expected in {
        "deep_lift": DeepLift(copied_before_pools(net)).attribute(x, target=2),
        "guided_backprop": GuidedBackprop(net).attribute(x, target=2),
    }.items():
        wanted = expected.detach().numpy()
        np.testing.assert_allclose(explained(lab, method, rows), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_completeness_is_reported(lab: Local) -> None:
    background = pictures(5, seed=9)
    for method in ("deep_lift", "deep_lift_shap"):
        order = Order(
            method, {"input": pictures(2)}, {}, baseline=Baseline(kind="background"), arrays={"background/input": background}
        )
        result, arrays = lab.explain("resnet", order)
        for row, explanation in enumerate(result.explanations):
            total = float(arrays["attributions.input"][row].astype(float).sum())
            assert total == pytest.approx(explanation.instance_output - explanation.baseline_output, abs=1e-5)
            assert explanation.quality.completeness_gap == pytest.approx(0, abs=1e-3)


def test_mixed_jobs_on_one_model_do_not_meet(lab: Local) -> None:
    """Jobs of six methods at a time in one batch, and batches in four threads: each answer is its own."""
    rows = pictures(6)
    alone = {method: explained(lab, method, rows) for method in METHODS}
    module = lab.load("resnet").model._module  # type: ignore[attr-defined]
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    faults: list[str] = []

    def work(first: int) -> None:
        for turn in range(4):
            orders = [Order(method, {"input": rows[(first + turn) % 6][None]}, {}, target=2) for method in METHODS]
            for order, (_, arrays) in zip(orders, lab.explain_all("resnet", orders), strict=True):
                expected = alone[order.method][(first + turn) % 6]
                if np.abs(arrays["attributions.input"][0] - expected).max() > 1e-5 * max(np.abs(expected).max(), 1):
                    faults.append(order.method)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in module.modules())


def test_a_refusal_names_the_module_and_fails_its_own_job(lab: Local) -> None:
    rows = np.random.default_rng(0).normal(size=(1, 6, 4)).astype(np.float32)
    with pytest.raises(OperationWithoutRule, match=r"lrp has no rule for gru in states\.layer"):
        lab.explain("gru", Order("lrp", {"input": rows}, {}))
    result, _ = lab.explain("gru", Order("deep_lift", {"input": rows}, {}))
    assert result.explanations[0].quality.completeness_gap == pytest.approx(0, abs=1e-3)


def test_a_method_that_is_off_is_not_on_offer(lab: Local) -> None:
    settings = Settings(models=lab.settings.models, factories=("inner_nets",), methods_off=("lrp",))
    without = Local(settings)
    offer = offer_of(without.registry, without.repository.scan(), settings)
    assert "lrp" not in {method.name for method in offer.methods}
    assert all("lrp" not in model.methods and "deep_lift" in model.methods for model in offer.models)
