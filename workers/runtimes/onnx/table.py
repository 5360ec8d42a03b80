"""The table of builders: (domain, operator) -> what builds its module, and how many inputs and outputs it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from workers.runtimes.onnx.node import Node

Build = Callable[[Node], nn.Module]


@dataclass(frozen=True)
class Entry:
    """A builder with the counts it knows: inputs (fewest, most; None = any number), outputs (most)."""

    build: Build
    inputs: tuple[int, int | None]
    outputs: int | None


BUILDERS: dict[tuple[str, str], Entry] = {}

ML = "ai.onnx.ml"
CONTRIB = "com.microsoft"


def builds(
    *ops: str, inputs: tuple[int, int | None] = (1, 1), outputs: int | None = 1, domain: str = ""
) -> Callable[[Build], Build]:
    """Enter a builder for one or more operators of a domain."""

    def enter(build: Build) -> Build:
        for op in ops:
            if (domain, op) in BUILDERS:
                raise ValueError(f"two builders for {op}")
            BUILDERS[domain, op] = Entry(build, inputs, outputs)
        return build

    return enter


def build(node: Node) -> nn.Module:
    """The node's module. Raises Untranslatable: operator, attribute or input unknown."""
    entry = BUILDERS.get((node.domain, node.op))
    if entry is None:
        node.refuse(REFUSED.get((node.domain, node.op), "is not translated"))
    fewest, most = entry.inputs
    count = max((index + 1 for index, name in enumerate(node.inputs) if name), default=0)
    if len(node.inputs) < fewest or (most is not None and count > most):
        node.refuse(f"has {count} inputs, which is not translated")
    outputs = max((index + 1 for index, name in enumerate(node.outputs) if name), default=0)
    if entry.outputs is not None and outputs > entry.outputs:
        node.refuse(f"has {outputs} outputs, which is not translated")
    module = entry.build(node)
    node.check_all_read()
    return module


_STEPS = "has no gradient: its output is made of steps"
_FUSED = "was made by an optimiser; upload the model as it was exported"
REFUSED: dict[tuple[str, str], str] = {
    (ML, "TreeEnsemble"): _STEPS,
    (ML, "TreeEnsembleClassifier"): _STEPS,
    (ML, "TreeEnsembleRegressor"): _STEPS,
    (ML, "SVMClassifier"): "is not translated; methods that need no gradients work",
    (ML, "SVMRegressor"): "is not translated; methods that need no gradients work",
    (ML, "LabelEncoder"): "has no gradient: it looks labels up",
    ("", "NonMaxSuppression"): "has no gradient: it selects boxes",
    (CONTRIB, "FusedConv"): _FUSED,
    (CONTRIB, "FusedGemm"): _FUSED,
    (CONTRIB, "NhwcMaxPool"): _FUSED,
    ("com.microsoft.nchwc", "Conv"): _FUSED,
    ("com.microsoft.nchwc", "MaxPool"): _FUSED,
    ("com.microsoft.nchwc", "AveragePool"): _FUSED,
    ("com.microsoft.nchwc", "GlobalAveragePool"): _FUSED,
    ("com.microsoft.nchwc", "GlobalMaxPool"): _FUSED,
    ("com.microsoft.nchwc", "ReorderInput"): _FUSED,
    ("com.microsoft.nchwc", "ReorderOutput"): _FUSED,
}
"""Operators that are known and not translated, with the reason. Others are just not translated."""
