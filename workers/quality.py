"""How far to trust an answer: its figures, and the verdict that follows from them with a reason in words."""

from __future__ import annotations

import numpy as np

from explainery.contract.result import Quality, Verdict
from workers.game import Game
from workers.questions import Solution

GAP_WARN, GAP_FAIL = 0.01, 0.1
"""Relative completeness gap from which a verdict is `warn`, `fail`."""
FLAT = 1e-6
"""An output difference below this share of the outputs is no difference: a relative gap says nothing then."""


def quality_of(game: Game, solution: Solution, *, complete: bool) -> Quality:
    """The figures of one explanation. `complete`: whether the method promises completeness."""
    notes = list(solution.notes)
    gap = completeness_gap(game, solution) if complete else None
    verdict = _gap_verdict(game, gap, notes)
    if solution.converged is False and verdict == "pass":
        verdict = "warn"
        notes = notes or ["The method did not converge within its budget; raise samples or max_steps."]
    spread = solution.standard_error
    parts = () if spread is None else spread.values() if isinstance(spread, dict) else (spread,)
    error = max((float(np.max(part, initial=0.0)) for part in parts), default=None)
    return Quality(
        completeness_gap=gap,
        approximation_error=solution.error,
        standard_error=error,
        converged=solution.converged,
        verdict=verdict,
        notes=tuple(notes),
    )


def completeness_gap(game: Game, solution: Solution) -> float:
    """|sum of attributions - difference| / max(|difference|, 1e-12)."""
    if solution.per_player is not None:
        total = float(solution.per_player.sum())
    else:
        parts = solution.per_element or solution.per_layer or {}
        total = sum(float(part.sum()) for part in parts.values())
    return abs(total - game.difference) / max(abs(game.difference), 1e-12)


def _gap_verdict(game: Game, gap: float | None, notes: list[str]) -> Verdict:
    if gap is None:
        return "pass"
    scale = max(abs(game.instance_output), abs(game.baseline_output))
    if abs(game.difference) <= FLAT * scale or scale == 0.0:
        notes.append("Instance and baseline give the same output: there is no difference to attribute. Try another baseline.")
        return "warn"
    if gap < GAP_WARN:
        return "pass"
    notes.append(f"Attributions miss the output difference by {gap:.1%}; raise max_steps or samples.")
    return "warn" if gap < GAP_FAIL else "fail"
