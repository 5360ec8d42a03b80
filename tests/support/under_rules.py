"""Runs a module under changed backward rules, as the engine does: forward under the mode, then autograd."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.inside.backward import Backward
from workers.inside.rules import backward_of
from workers.inside.watched import plain_attention
from workers.questions import Rules

Run = Callable[..., torch.Tensor]


def frozen(module: nn.Module) -> nn.Module:
    """As a runtime holds it: in evaluation mode, nothing to be trained."""
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def attributed(
    rules: str,
    model: Run,
    x: torch.Tensor,
    baseline: torch.Tensor | None = None,
    target: int = 0,
    where: Callable[[], str] = lambda: "",
    **options: Any,
) -> torch.Tensor:
    """Attribution of each row's output `target`, shaped like x: multiplied with (x - baseline) where rules are paired."""
    mode = backward_of(Rules(rules, tuple(options.items())), where)
    reference = torch.zeros_like(x) if baseline is None else baseline.expand_as(x)
    batch = torch.cat([x, reference]) if mode.paired else x
    found = differentiated(mode, model, batch, len(x), target)
    return found * (x - reference) if mode.paired else found


def differentiated(mode: Backward, model: Run, batch: torch.Tensor, rows: int, target: int) -> torch.Tensor:
    """What comes out at the first `rows` of the input when the first `rows` of the score are differentiated."""
    with torch.enable_grad():
        leaf = batch.detach().clone().requires_grad_()
        with mode:
            output = model(leaf.clone())
        scores = output.reshape(len(batch), -1)[:rows, target]
        seed = scores.detach() if mode.relevance else torch.ones_like(scores)
        (gradient,) = torch.autograd.grad(scores, leaf, seed, allow_unused=True, materialize_grads=True)
    return gradient[:rows]


def exported(net: nn.Module, x: torch.Tensor) -> list[Run]:
    """The net as an exported program, written down and read again: in its own functions, and in core ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        program = torch.export.export(net, (x,))
        content = io.BytesIO()
        torch.export.save(program, content)
        content.seek(0)
        again = torch.export.load(content)
        return [again.module(), again.run_decompositions().module()]


def translated(net: nn.Module, x: torch.Tensor) -> Run:
    """The net by way of an ONNX file and its translation."""
    from workers.runtimes.onnx.translate import read_model, translate

    content = io.BytesIO()
    with warnings.catch_warnings(), plain_attention():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            net, (x,), content, dynamo=False, opset_version=17, input_names=["input"], output_names=["score"],
            dynamic_axes={"input": {0: "n"}, "score": {0: "n"}},
        )  # fmt: skip
    graph = frozen(translate(read_model(content.getvalue()), ("score",)).graph)
    return lambda x: graph.run({"input": x}, ("score",))["score"]  # type: ignore[operator, no-any-return]
