"""Ask the service, and lay the answers out for printing and drawing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery import Client, ExplanationResult
from explainery.contract.model_card import ModelCard, parse_card
from explainery.demo import models
from explainery.demo.questions import Asked, Questions


@dataclass(frozen=True)
class Answer:
    """One method's explanations of a model's rows. `seconds`: from the request to the result, at the client."""

    asked: Asked
    result: ExplanationResult
    seconds: float

    @property
    def attributions(self) -> NDArray[np.float64]:
        """[rows, elements of a row] of the one input."""
        (array,) = self.result.attributions.values()
        return array.reshape(len(array), -1).astype(np.float64)


@dataclass(frozen=True)
class Told:
    """A model, the rows asked about, the truth about them, and every method's answer."""

    name: str
    card: ModelCard
    rows: NDArray[np.float32]
    truths: list[Any]
    probabilities: NDArray[np.float64] | None
    """Of the explained class per row; None where the output is not a class."""
    answers: list[Answer]

    def label(self, row: int) -> str | None:
        """The explained class of a row."""
        return self.answers[0].result.explanations[row].target.label

    def truth(self, row: int) -> str:
        """What the data set says about a row, in the words of the card."""
        output = self.card.score_output
        if output.labels:
            return output.labels[int(self.truths[row])]
        return f"{self.truths[row]:.0f} {output.unit or ''}".strip()


def ask(client: Client, repository: Path, questions: Questions) -> Told:
    """Put every question about one model to the service."""
    card = parse_card((repository / questions.model / models.VERSION / "card.toml").read_text(encoding="utf-8"))
    held_out = models.held_out(questions.model)
    chosen = list(questions.rows)
    rows = held_out.held_x[chosen]
    answers = [_answer(client, questions, asked, rows) for asked in questions.asked]
    chances = _probabilities(client, questions.model, card, rows, answers[0].result)
    return Told(questions.model, card, rows, list(held_out.held_y[chosen]), chances, answers)


def _answer(client: Client, questions: Questions, asked: Asked, rows: NDArray[np.float32]) -> Answer:
    begun = time.perf_counter()
    result = client.explain(
        questions.model, rows, asked.method, params=dict(asked.params), baseline=questions.baseline, timeout_s=120
    )
    return Answer(asked, result, time.perf_counter() - begun)


def _probabilities(
    client: Client, model: str, card: ModelCard, rows: NDArray[np.float32], result: ExplanationResult
) -> NDArray[np.float64] | None:
    """The explained class's probability per row. For logits every class's logit is asked for: one row a class."""
    output = card.score_output
    if output.kind == "probabilities":
        return np.asarray(result.instance_output, dtype=np.float64)
    if output.kind != "logits" or output.labels is None:
        return None
    classes = len(output.labels)
    targets = list(range(classes)) * len(rows)
    every = client.explain(model, np.repeat(rows, classes, axis=0), "saliency", target=targets, timeout_s=120)
    logits = every.instance_output.reshape(len(rows), classes)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    explained = [explanation.target.index or 0 for explanation in result.explanations]
    return np.asarray((shares / shares.sum(axis=1, keepdims=True))[np.arange(len(rows)), explained])
