"""How far to trust an answer: its figures, and the verdict that follows from them by the table of thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from explainery.contract.catalogue import MethodSpec
from explainery.contract.result import Quality, Verdict
from workers.game import Game
from workers.questions import Floats, Solution
from workers.recheck import Finding
from workers.standard_errors import NORMAL, RESOLUTION, share_of_range
from workers.thresholds import judged, worst

FLAT = 1e-6
"""An output difference below this share of the outputs is no difference: a relative gap says nothing then."""
NO_FINDINGS: Mapping[str, Finding] = {}


def quality_of(game: Game, solution: Solution, method: MethodSpec, findings: Mapping[str, Finding] = NO_FINDINGS) -> Quality:
    """The figures of one explanation, what its checks found, and the verdict with its reasons."""
    gap = completeness_gap(game, solution) if method.completeness else None
    even = gap is not None and _same_output(game)
    sampling = sampling_error(game, solution, method)  # how large it is tells more than that it is above the tolerance
    figures = {
        "same_output": float(even),
        "completeness_gap": None if even else gap,
        "unconverged": float(solution.converged is False and sampling is None),
        "sampling_error": sampling,
        "unexplained": solution.unexplained,
    }
    told = [(name, *judged(name, value, method.name)) for name, value in figures.items()]
    notes = [
        *solution.notes,
        *(reason for name, _, reason in told if reason and not (name == "unconverged" and solution.notes)),
    ]
    checks = {name: _of_check(name, finding, method.name) for name, finding in findings.items()}
    notes += [reason for _, reasons in checks.values() for reason in reasons]
    spread = solution.standard_error
    parts = () if spread is None else spread.values() if isinstance(spread, dict) else (spread,)
    return Quality(
        completeness_gap=gap,
        approximation_error=solution.unexplained if solution.error is None else solution.error,
        standard_error=max((float(np.max(part, initial=0.0)) for part in parts), default=None),
        converged=solution.converged,
        verdict=worst([verdict for _, verdict, _ in told] + [found["verdict"] for found, _ in checks.values()]),
        notes=tuple(notes),
        interval_95_factor=None if spread is None else NORMAL,
        checks={name: found for name, (found, _) in checks.items()} or None,
    )


def sampling_error(game: Game, solution: Solution, method: MethodSpec) -> float | None:
    """The largest standard error as a share of the attributions' range, of a random method; None where nobody knows it.

    A method with a tolerance has compared it with that.
    """
    found, spread = solution.per_element or solution.per_player, solution.standard_error
    if not method.random or solution.error is not None or spread is None or found is None:
        return solution.error if method.random else None
    outputs = max(abs(game.instance_output), abs(game.baseline_output)) if method.contributes else 0.0
    return share_of_range(_flat(found), _flat(spread), RESOLUTION * outputs)


def _flat(found: Floats | Mapping[str, Floats]) -> Floats:
    return np.concatenate([part.reshape(-1) for part in found.values()]) if isinstance(found, Mapping) else found


def completeness_gap(game: Game, solution: Solution) -> float:
    """|sum of attributions - difference| / max(|difference|, 1e-12)."""
    if solution.per_player is not None:
        total = float(solution.per_player.sum())
    else:
        parts = solution.per_element or solution.per_layer or {}
        total = sum(float(part.sum()) for part in parts.values())
    return abs(total - game.difference) / max(abs(game.difference), 1e-12)


def _same_output(game: Game) -> bool:
    scale = max(abs(game.instance_output), abs(game.baseline_output))
    return abs(game.difference) <= FLAT * scale or scale == 0.0


def _of_check(name: str, finding: Finding, method: str) -> tuple[dict[str, Any], list[str]]:
    """A check's figures with its verdict and note, and the reasons for the verdict."""
    told = [judged(f"{name}.{figure}", value, method) for figure, value in finding.figures.items() if _is_number(value)]
    reasons = [reason for _, reason in told if reason]
    verdict: Verdict = worst([verdict for verdict, _ in told])
    note = " ".join([*reasons, *([finding.note] if finding.note else [])]) or None
    return {**finding.figures, "verdict": verdict, "note": note}, reasons


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
