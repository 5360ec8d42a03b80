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

    A method that answers for the whole job looks at each row once, and takes its steps besides.
    """
    if method.level == "job":
        return max(1, min(rows + int(params.get("steps", 0)) * int(params.get("starts", 1)), MOST))
    count = SOME if players is None else players
    budget = next((params[name] for name in BUDGETS if params.get(name)), None)
    if budget is None:
        budget = 2 ** min(count, 30) if method.max_players is not None else count
    return max(1, min(rows * int(budget), MOST))


def effort_with(
    method: MethodSpec,
    params: Mapping[str, Any],
    rows: int,
    players: int | None,
    checks: Sequence[tuple[CheckSpec, Mapping[str, Any]]],
) -> int:
    """Evaluations of all rows and their checks: `samples` of its own, and `runs` of the method."""
    own = effort_of(method, params, rows, players)
    asked = [given for check, given in checks if method.random or not check.random_only]
    more = sum(rows * int(given.get("samples") or 0) + own * int(given.get("runs") or 0) for given in asked)
    return min(own + more, MOST)
