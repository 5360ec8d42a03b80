"""Questions cut in two and answers put together: what is known of a question's beginning need not be asked again.

Points of a `Gradients` question carry weights; a part's answer is that of its points alone, with weights of the same sum.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workers.questions import GradientAnswer, Gradients


def cut(question: Gradients, at: int) -> tuple[Gradients, Gradients]:
    """The first `at` points and the rest, each with weights of the sum that the whole question's have."""
    return _some(question, 0, at), _some(question, at, len(question.alphas))


def share(question: Gradients, at: int) -> float:
    """The part of the weights that the first `at` points have."""
    return float(question.weights[:at].sum() / question.weights.sum())


def joined(first: GradientAnswer, rest: GradientAnswer, part: float) -> GradientAnswer:
    """The answer to a question from those to its two parts. `part`: the first's share of the weights.

    Variances as Chan, Golub & LeVeque (1979) put them together.
    """
    sums = {name: part * one + (1 - part) * rest.sums[name] for name, one in first.sums.items()}
    variances = {
        name: part * one + (1 - part) * rest.variances[name] + part * (1 - part) * (first.sums[name] - rest.sums[name]) ** 2
        for name, one in first.variances.items()
    }
    return GradientAnswer(sums, np.append(first.outputs, rest.outputs), variances)


def begins(question: Gradients, with_: Gradients) -> bool:
    """Whether a question's first points are those of another one, evenly weighted there as here."""
    count = len(with_.alphas)
    if count > len(question.alphas) or (question.variances and (question.factor != "one" or not with_.variances)):
        return False
    if (question.factor, question.noise) != (with_.factor, with_.noise):
        return False
    ratio = question.weights[:count] * (with_.weights[0] / question.weights[0])
    return bool(
        np.array_equal(question.alphas[:count], with_.alphas)
        and np.allclose(ratio, with_.weights, rtol=1e-12, atol=0)
        and _same_baselines(question, with_, count)
    )


def _same_baselines(question: Gradients, other: Gradients, count: int) -> bool:
    if question.baselines is None or other.baselines is None:
        return question.baselines is other.baselines
    return np.array_equal(question.baselines[:count], other.baselines)


def _some(question: Gradients, start: int, stop: int) -> Gradients:
    weights = question.weights[start:stop]
    noise = question.noise
    return replace(
        question,
        alphas=question.alphas[start:stop],
        weights=weights * (question.weights.sum() / weights.sum()) if len(weights) else weights,
        noise=None if noise is None else replace(noise, first=noise.first + start),
        baselines=None if question.baselines is None else question.baselines[start:stop],
    )
