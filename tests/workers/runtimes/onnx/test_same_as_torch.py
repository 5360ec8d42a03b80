"""One net as torch weights and as an exported ONNX file: every method gives the same answer on both."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import repos
import structlog
import torch
from onnx_graphs import rows

from explainery.settings import Settings
from workers.local import Local, Order
from workers.registry import discover

METHODS = sorted(
    name
    for name, method in discover().methods.items()
    if (method.SPEC.layer, method.SPEC.level) == (None, "row") and "trees" not in method.SPEC.asks
)
"""Those that look at layers are compared in tests/workers/inside; trees are no torch model."""
RULELESS = {("recurrent", "lrp")}
NETS: dict[str, tuple[str, dict[str, Any], str, Any]] = {
    "mlp": ("nets:mlp", {"features": 6}, repos.tensor_input("input", [6]), rows(2, 6)),
    "cnn": (
        "nets:cnn", {}, repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW"), rows(2, 1, 8, 8),
    ),
    "recurrent": ("runtime_nets:recurrent", {}, repos.tensor_input("input", [5, 2], modality="series"), rows(2, 5, 2)),
}  # fmt: skip
COLUMNS = {"mlp": 3, "cnn": 4, "recurrent": 3}


@pytest.fixture(autouse=True)
def logs() -> Iterator[Any]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("models")
    for name, (factory, args, inputs, sample) in NETS.items():
        repos.add_torch(folder, f"{name}-torch", factory, args, inputs, repos.output(COLUMNS[name]))
        module, function = factory.split(":")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = getattr(__import__(module), function)(**args).eval()
        content = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                net, (torch.from_numpy(sample),), content, dynamo=False, opset_version=17, input_names=["input"],
                output_names=["score"], dynamic_axes={"input": {0: "n"}, "score": {0: "n"}},
            )  # fmt: skip
        card = f'title = "m"\nformat = "onnx"\nfile = "m.onnx"\n{inputs}{repos.output(COLUMNS[name])}'
        repos.write(folder, f"{name}-onnx", card, {"m.onnx": content.getvalue()})
    return Local(Settings(models=str(folder), factories=("nets", "runtime_nets"), device="cpu", threads=1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NETS)
def test_the_same_answer(local: Local, name: str, method: str) -> None:
    if (name, method) in RULELESS:
        pytest.skip("refused by name")
    wanted, card = local.registry.methods[method].SPEC.modality, local.load(f"{name}-torch").card
    if wanted is not None and any(spec.modality != wanted for spec in card.sent):
        pytest.skip(f"for inputs of modality {wanted}")
    limit = local.registry.methods[method].SPEC.max_players
    if limit is not None and np.prod(NETS[name][3].shape[1:]) > limit:
        pytest.skip("too many features for this method")
    order = Order(method, {"input": NETS[name][3]}, {}, target=1)
    one, two = (local.explain(f"{name}-{kind}", order)[1] for kind in ("torch", "onnx"))
    (key,) = [key for key in one if key.startswith("attribution")] or list(one)
    np.testing.assert_allclose(two[key], one[key], rtol=0, atol=1e-4 * np.abs(one[key]).max())
