"""Writes docs/onnx-operators.md: which of the onnx package's node tests the translation to torch passes, by operator.

Run `python docs/onnx_operators.py`; a test fails while the page is stale.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "onnx-operators.md"

HEAD = """# ONNX operators with gradients

Values of ONNX models come from ONNX Runtime, which knows every operator. Gradients come from a translation to torch,
one module per node. This page says what the translation knows: the node tests of the onnx package ({version}), run on it
and compared with the expected outputs. It is written by `python docs/onnx_operators.py`.

* In scope: {scope} of {all} tests. Out of scope are training, randomness, Fourier transforms, texts, sequences and
  optionals, selection of boxes, decoding of images.
* Passed: {passed} ({share:.1f} %). Refused by name: {refused}. Accepted and wrong: {wrong}.

"Refused" means: gradient methods are not offered on a model with that form of the operator, the catalogue says why, and
black-box methods work. Beyond these tests, the translation knows:

* of `com.microsoft`, what exporters and optimisers write: {contrib};
* of `ai.onnx.ml`, what has a gradient: {learned}.

| operator | passed | refused | why refused |
|---|---|---|---|
"""


def page(outcomes: Sequence[Any]) -> str:
    """The page's text for the outcomes of all cases."""
    from workers.runtimes.onnx.table import BUILDERS, CONTRIB, ML

    kinds = Counter(outcome.kind for outcome in outcomes)
    scope = len(outcomes) - kinds["out of scope"]
    head = HEAD.format(
        version=onnx.__version__, scope=scope, all=len(outcomes), passed=kinds["passed"], refused=kinds["refused"],
        wrong=kinds["wrong"], share=100 * kinds["passed"] / scope,
        contrib=_named(BUILDERS, CONTRIB), learned=_named(BUILDERS, ML),
    )  # fmt: skip
    by_operator: dict[str, list[Any]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.kind != "out of scope":
            by_operator[outcome.case.op].append(outcome)
    return head + "".join(_line(op, found) for op, found in sorted(by_operator.items()))


def _named(builders: Any, domain: str) -> str:
    return ", ".join(sorted(op for where, op in builders if where == domain))


def _line(op: str, outcomes: list[Any]) -> str:
    passed = sum(outcome.kind == "passed" for outcome in outcomes)
    reasons = sorted({outcome.why.replace("|", "/") for outcome in outcomes if outcome.kind != "passed"})
    return f"| {op} | {passed} | {len(outcomes) - passed} | {'; '.join(reasons)} |\n"


def main() -> None:
    """Write the page."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import onnx_nodes

    PAGE.write_text(page([onnx_nodes.run(case) for case in onnx_nodes.cases()]), encoding="utf-8")


if __name__ == "__main__":
    main()
