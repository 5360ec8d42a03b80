"""How a background set is averaged over: by what stands beside it in `baseline`, checked against the method."""

from __future__ import annotations

from typing import Any

from explainery.contract.catalogue import MethodSpec
from explainery.contract.errors import InvalidBaseline, MethodUnavailable
from explainery.contract.job import Baseline
from service.faults import fault, refusal

BESIDE = ("conditional", "summarise")
"""What may stand beside a background, one at most."""


def read_beside(asked: dict[str, Any], rows: int) -> dict[str, int]:
    """The fields of `Baseline` that say how to average over a background of so many rows. Raises InvalidBaseline."""
    given = [name for name in BESIDE if name in asked]
    if len(given) > 1:
        message = 'takes "conditional" or "summarise", not both: neighbours are rows, not centroids'
        raise fault(InvalidBaseline, "baseline", message)
    if "conditional" in asked:
        body = asked["conditional"]
        if not isinstance(body, dict) or set(body) != {"neighbours"}:
            raise fault(InvalidBaseline, "baseline.conditional", 'must be {"neighbours": k}')
        return {"neighbours": _count(body["neighbours"], rows, "baseline.conditional.neighbours")}
    if "summarise" in asked:
        return {"summarise": _count(asked["summarise"], rows, "baseline.summarise")}
    return {}


def _count(value: Any, rows: int, loc: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= rows:
        raise fault(InvalidBaseline, loc, f"must be a whole number from 1 to the background's {rows} rows")
    return value


def check_value_function(method: MethodSpec, baseline: Baseline) -> None:
    """Raise MethodUnavailable where a method cannot average over the background as the job asks."""
    if baseline.neighbours is not None and method.asks != ("values",):
        detail = f"{method.name} does not ask for values of coalitions, so there is no conditional value function for it"
        raise refusal(MethodUnavailable, "baseline.conditional", f"{detail}; use kernel_shap, or leave conditional out")
    if baseline.summarise is not None and ("internals" in method.asks or method.level == "job"):
        detail = f"{method.name} looks inside the model, where a background is not weighted"
        raise refusal(MethodUnavailable, "baseline.summarise", f"{detail}; send the background without summarise")
