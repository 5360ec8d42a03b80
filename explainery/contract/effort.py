"""About how many evaluations of the model a job takes. What it costs in seconds is learned by the ledger, per evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explainery.contract.catalogue import CheckSpec, MethodSpec

BUDGETS = ("samples", "max_steps")
"""Parameters that say, wherever they occur, how many calls a row may cost."""
SOME = 64
"""Players where only a worker can tell how many there are."""
MOST = 2**31


def effort_of(method: MethodSpec, params: Mapping[str, Any], rows: int, players: int | None) -> int:
    """Evaluations of all rows: the budget where the method has one, every coalition where it enumerates, else one a player.

    A method that answers for the whole job looks at each row once, and takes its steps besides. One of tables has a budget for
    each row, or changes each feature so many times.
    """
    if method.table:
        count = SOME if players is None else players
        times = int(params.get("repeats") or params.get("grid") or 1)
        if curves := params.get("of"):  # a curve for a name, a surface for a pair
            return max(1, min(rows * (1 + sum(times if isinstance(of, str) else times ** len(of) for of in curves)), MOST))
        return max(1, min(rows * int(params.get("samples") or 1 + times * count), MOST))
    if method.level == "job":
        return max(1, min(rows + int(params.get("steps", 0)) * int(params.get("starts", 1)), MOST))
    count = SOME if players is None else players
    budget = next((params[name] for name in BUDGETS if params.get(name)), None)
    if budget is None:
        budget = 2 ** min(count, 30) if method.max_players is not None else count
    return max(1, min(rows * int(budget), MOST))


def effort_of_checks(method: MethodSpec, checks: Sequence[tuple[CheckSpec, Mapping[str, Any]]]) -> tuple[int, int]:
    """What checks add to a row: evaluations of their own (`samples`), and further `runs` of the method."""
    asked = [given for check, given in checks if method.random or not check.random_only]
    return sum(int(given.get("samples") or 0) for given in asked), sum(int(given.get("runs") or 0) for given in asked)
