"""DiCE beside us: the same models, rows and limits. It is no dependency: its own drag in a CUDA library.

pip install --no-deps --target .dice dice-ml==0.12 raiutils==0.4.2
PYTHONPATH=.dice python -m benchmarks counterfactuals

"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.credit import CATEGORIES, GROUPS, IMMUTABLE
from benchmarks.tabular import Trained

Array = np.ndarray[Any, Any]
HOUSING = [name.removeprefix("housing ") for name in GROUPS["housing"]]


def installed() -> bool:
    """Whether DiCE can be imported."""
    return importlib.util.find_spec("dice_ml") is not None


@dataclass(frozen=True, eq=False)
class Found:
    """What DiCE found for a row, as the model's own columns, float32 [counterfactuals, columns]."""

    row: int
    points: Array


class Framed:
    """A table as DiCE wants it: categories as words, a one-hot block as one column."""

    def __init__(self, of: Trained) -> None:
        self.of = of
        self.blocks = bool(of.input_more)
        self.plain = [name for name in of.features if not (self.blocks and name.startswith("housing "))]
        self.words: dict[str, list[str]] = CATEGORIES if self.blocks else {}
        self.numbers = [name for name in self.plain if name not in self.words]

    def frame(self, x: Array) -> Any:
        """Rows as a data frame."""
        import pandas as pd

        made = {name: x[:, self.of.features.index(name)].astype(float) for name in self.plain}
        for name, words in self.words.items():
            made[name] = np.array(words, dtype=object)[made[name].astype(int)]
        if self.blocks:
            start = self.of.features.index("housing rent")
            made["housing"] = np.array(HOUSING, dtype=object)[x[:, start : start + 3].argmax(axis=1)]
        return pd.DataFrame(made).astype(dict.fromkeys([*self.words, *(["housing"] if self.blocks else [])], object))

    def matrix(self, frame: Any) -> Array:
        """A data frame as the model's columns."""
        x = np.zeros((len(frame), len(self.of.features)), np.float32)
        for name in self.plain:
            column = frame[name]
            known = [self.words[name].index(word) for word in column] if name in self.words else column.astype(float)
            x[:, self.of.features.index(name)] = known
        if self.blocks:
            start = self.of.features.index("housing rent")
            x[np.arange(len(frame)), start + np.array([HOUSING.index(word) for word in frame["housing"]])] = 1
        return x

    def predict(self, frame: Any) -> Array:
        """Classes, as scikit-learn's models have it."""
        return np.asarray(self.of.model.predict(self.matrix(frame)))

    def predict_proba(self, frame: Any) -> Array:
        """Probabilities, as scikit-learn's models have it."""
        return np.asarray(self.of.model.predict_proba(self.matrix(frame)))


def run(of: Trained, rows: Array, wanted: Array, count: int, way: str) -> tuple[list[Found], float]:
    """What DiCE finds for each row, one after the other, and the seconds that took. `wanted`: the class of each row."""
    import dice_ml

    framed = Framed(of)
    frame = framed.frame(of.x).assign(outcome=of.model.predict(of.x))
    data = dice_ml.Data(dataframe=frame, continuous_features=framed.numbers, outcome_name="outcome")
    explainer = dice_ml.Dice(data, dice_ml.Model(model=framed, backend="sklearn"), method=way)
    limits: dict[str, Any] = {}
    if framed.blocks:
        limits["features_to_vary"] = [name for name in [*framed.plain, "housing"] if name not in IMMUTABLE]
    found, began = [], time.perf_counter()
    for number, row in enumerate(rows):
        query = framed.frame(row[None])
        points = np.zeros((0, len(of.features)), np.float32)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            more = {"random_seed": number} if way == "random" else {}
            try:
                answer = explainer.generate_counterfactuals(
                    query, total_CFs=count, desired_class=int(wanted[number]), verbose=False, **limits, **more
                )
                best = answer.cf_examples_list[0].final_cfs_df
                if best is not None and len(best):
                    points = framed.matrix(best.drop(columns="outcome"))
            except Exception as error:  # it raises UserConfigValidationException where it finds none
                if type(error).__name__ != "UserConfigValidationException":
                    raise
        found.append(Found(number, points))
    return found, time.perf_counter() - began
