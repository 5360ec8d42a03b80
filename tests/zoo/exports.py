"""torch nets as ONNX files: by the TorchScript exporter (opsets up to 20) and by the torch.export one (from 18 on)."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

DYNAMO = importlib.util.find_spec("onnxscript") is not None
"""Whether the torch.export exporter can be used: it needs onnxscript."""


def seeded(make: Callable[[], torch.nn.Module], seed: int = 0) -> torch.nn.Module:
    """The net with the seed's weights (batch norms' statistics too), in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = make()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
                torch.nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return net.eval()


def exported(
    net: torch.nn.Module, inputs: Mapping[str, NDArray[Any]], opset: int, *, dynamo: bool, open_batch: bool = True
) -> bytes:
    """The net as a file: inputs by name, output "score"."""
    tensors = tuple(torch.from_numpy(np.array(array)) for array in inputs.values())
    content = io.BytesIO()
    names = {"input_names": list(inputs), "output_names": ["score"], "opset_version": opset}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        if dynamo:
            shapes = tuple({0: torch.export.Dim("rows", min=1, max=64)} for _ in inputs) if open_batch else None
            program = torch.onnx.export(
                net, tensors, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False, **names
            )
            program.save(content, external_data=False)  # type: ignore[union-attr]
        else:
            axes = {name: {0: "rows"} for name in (*inputs, "score")} if open_batch else None
            torch.onnx.export(net, tensors, content, dynamo=False, dynamic_axes=axes, **names)
    return content.getvalue()
