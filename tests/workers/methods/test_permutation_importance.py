"""Importance by shuffling: closed forms, the groups that move together, and what scikit-learn and captum find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import whole_by_hand as hand
from captum.attr import FeaturePermutation
from sklearn.inspection import permutation_importance as of_sklearn
from sklearn.linear_model import LinearRegression, LogisticRegression

from explainery.contract.errors import ExplaineryError
from workers.methods import permutation_importance as method

RNG = np.random.Generator(np.random.Philox(3))
X = RNG.normal(size=(60, 3)) * [1.0, 2.0, 0.5]
W = np.array([3.0, -1.0, 0.0])
ABC = ("a", "b", "c")


def found(report: Any) -> tuple[np.ndarray, np.ndarray]:
    each = report["features"]
    return np.array([one["importance"] for one in each]), np.array([one["standard_error"] for one in each])


def test_a_linear_models_squared_loss_grows_by_twice_the_variance() -> None:
    """Against its own answer: E w^2 (x' - x)^2 over all shuffles = 2 w^2 var(x) (with n - 1 below)."""
    answered = hand.answer(method, lambda x: x @ W, hand.card(ABC), X, {"repeats": 400})
    importance, error = found(answered.report)
    expected = 2 * W**2 * X.var(axis=0)
    assert (np.abs(importance - expected) <= 4 * error + 1e-12).all()
    assert error[0] < 0.05 * expected[0]
    assert importance[2] == 0.0
    assert answered.report["ranking"] == ["a", "b", "c"]
    assert answered.evaluations == 60 * (1 + 400 * 3)
    assert answered.maps["importance"].shape == (3, 400)
    assert answered.solution.notes


def test_of_two_rows_by_hand() -> None:
    """x = 0, 1: a shuffle swaps them or not, so the loss is 1 or 0 each time."""
    answered = hand.answer(method, lambda x: x[:, 0], hand.card(["a"]), [[0.0], [1.0]], {"repeats": 50})
    swaps = answered.maps["importance"][0]
    assert set(swaps) == {0.0, 1.0}
    assert found(answered.report)[0][0] == swaps.mean()


def test_columns_of_a_group_move_together() -> None:
    """f = a b with a = b: shuffled as one, a b stays a square and its mean stays what it was."""
    rows = np.repeat(np.arange(6.0)[:, None], 2, axis=1)
    card = hand.card(["a", "b"], groups={"both": ("a", "b")})
    answered = hand.answer(method, lambda x: x[:, 0] * x[:, 1], card, rows, {"repeats": 5})
    assert [each["feature"] for each in answered.report["features"]] == ["both"]
    for points in answered.points:
        assert (points[:, 0] == points[:, 1]).all()


@pytest.mark.parametrize("loss", ["error", "log", "squared", "absolute", "auto"])
def test_classes_against_the_truth(loss: str) -> None:
    truth = (X @ W > 0.3).astype(int)

    def model(x: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-(x @ W)))
        return np.stack([1 - p, p], axis=1)

    card = hand.card(ABC, 2, "probabilities", labels=["no", "yes"])
    params = {"loss": loss, "truth": ["yes" if each else "no" for each in truth], "repeats": 3}
    report = hand.answer(method, model, card, X, params).report
    p = model(X)
    wrong = {
        "error": np.mean(p.argmax(axis=1) != truth),
        "log": -np.log(p[np.arange(60), truth]).mean(),
        "squared": (2 * (1 - p[np.arange(60), truth]) ** 2).mean(),
        "absolute": (2 * (1 - p[np.arange(60), truth])).mean(),
    }
    assert report["loss_of_rows"] == pytest.approx(wrong["error" if loss == "auto" else loss], rel=1e-12)
    assert report["against"] == "truth"
    single = hand.answer(
        method, lambda x: model(x)[:, 1], hand.card(ABC, 1, "probabilities"), X, params | {"truth": truth.tolist()}
    )
    half = 2 if loss in ("squared", "absolute") else 1
    assert single.report["loss_of_rows"] == pytest.approx(report["loss_of_rows"] / half, rel=1e-12)


def test_logits_have_the_log_loss_of_their_softmax() -> None:
    card = hand.card(ABC, 2, "logits")
    report = hand.answer(
        method, lambda x: np.stack([0 * x[:, 0], x @ W], 1), card, X, {"truth": [1] * 60, "loss": "log"}
    ).report
    assert report["loss_of_rows"] == pytest.approx(np.log1p(np.exp(-(X @ W))).mean())


def test_the_same_as_scikit_learn_and_captum_within_sampling_error() -> None:
    y = X @ W + RNG.normal(size=60)
    model = LinearRegression().fit(X, y)
    answered = hand.answer(method, model.predict, hand.card(ABC), X, {"truth": y.tolist(), "repeats": 200, "loss": "squared"})
    ours, error = found(answered.report)
    theirs = of_sklearn(model, X, y, scoring="neg_mean_squared_error", n_repeats=200, random_state=0)
    assert (np.abs(ours - theirs.importances_mean) <= 4 * error * np.sqrt(2)).all()

    torch.manual_seed(0)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return torch.tensor([((model.predict(x.numpy()) - y) ** 2).mean()])

    attribution = FeaturePermutation(loss)
    captum = torch.stack([attribution.attribute(torch.from_numpy(X))[0] for _ in range(200)]).numpy()
    assert (np.abs(ours + captum.mean(axis=0)) <= 4 * error * np.sqrt(2)).all()


def test_the_same_as_scikit_learn_on_classes() -> None:
    y = (X @ W + RNG.normal(size=60) > 0).astype(int)
    model = LogisticRegression().fit(X, y)
    card = hand.card(ABC, 2, "probabilities")
    ours, error = found(hand.answer(method, model.predict_proba, card, X, {"truth": y.tolist(), "repeats": 200}).report)
    theirs = of_sklearn(model, X, y, n_repeats=200, random_state=0)
    assert (np.abs(ours - theirs.importances_mean) <= 4 * error * np.sqrt(2) + 1e-12).all()


@pytest.mark.parametrize(
    ("card", "params", "says"),
    [
        (hand.card(ABC), {"loss": "error"}, "counts wrong classes"),
        (hand.card(ABC), {"loss": "log"}, "needs the truth"),
        (hand.card(ABC, 2, "logits"), {"loss": "squared", "truth": [0] * 60}, "needs an output of probabilities"),
        (hand.card(ABC), {"truth": [1.0]}, "has 1 entries for 60 rows"),
        (hand.card(ABC), {"truth": ["a"] * 60}, "must be numbers"),
        (hand.card(ABC, 2, "logits", labels=["a", "b"]), {"truth": ["c"] * 60}, "must be classes of the output"),
        (hand.card(ABC, 2, "logits"), {"truth": [2] * 60}, "must be classes of the output"),
    ],
)
def test_what_does_not_fit_is_refused(card: Any, params: dict[str, Any], says: str) -> None:
    with pytest.raises(ExplaineryError, match=says):
        hand.answer(method, lambda x: np.zeros((len(x), card.score_output.columns)), card, X, params)


def test_one_row_has_nothing_to_be_shuffled_with() -> None:
    with pytest.raises(ExplaineryError, match="two rows at least"):
        hand.answer(method, lambda x: x[:, 0], hand.card(ABC), X[:1])
