"""What a model answers, in the shape its card says, through the real engine."""

from __future__ import annotations

import numpy as np
import pytest

from explainery.contract.model_card import OutputSpec
from workers.local import Local, Order
from workers.methods.predict import shaped


@pytest.mark.parametrize("model", ["mlp", "cnn", "both", "onnx"])
def test_it_is_what_the_model_answers(lab: Local, model: str) -> None:
    loaded = lab.load(model)
    rng = np.random.default_rng(3)
    rows = {spec.name: rng.normal(size=(7, *spec.row_shape)).astype(np.float32) for spec in loaded.card.inputs}
    result, arrays = lab.explain(model, Order("predict", rows, {}, target=0))
    wanted = loaded.model.fetch(loaded.model.forward({name: loaded.model.place(array) for name, array in rows.items()}))
    np.testing.assert_allclose(arrays["maps.output"].reshape(7, -1), wanted, rtol=1e-4, atol=1e-5)
    assert arrays["maps.output"].shape[1:] == tuple(loaded.card.score_output.shape[1:])
    assert (result.cost.model_evaluations, result.cost.gradient_evaluations) == (7, 0)
    assert result.maps[0].axes == ("row", "output")


@pytest.mark.parametrize(
    ("card", "shape"),
    [
        ((-1,), (2,)), ((-1, 1), (2, 1)), ((-1, 2, 3), (2, 2, 3)), ((-1, -1), (2, 6)), ((-1, 2, -1), (2, 2, 3)),
        ((-1, -1, -1), (2, 1, 6)),
    ],
)  # fmt: skip
def test_shapes(card: tuple[int, ...], shape: tuple[int, ...]) -> None:
    columns = int(np.prod(shape[1:]))
    output = OutputSpec(name="o", datatype="FP32", shape=card)
    assert shaped(np.zeros((2, columns)), output).shape == shape
