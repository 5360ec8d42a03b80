"""Make one model's twin, in a process of its own: `python -m workers.twin_export <parent> <name> <version> <digest>`.

The export is of what `torch.export` proves of the program, not of one trace: a model whose path depends on its input is
refused rather than frozen. Then outputs are compared as the parity gate of ONNX files does. What comes of it lies in
`<home>/twins`: the twin, or the reason why there is none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from explainery import settings as all_settings
from explainery.contract.errors import ExplaineryError
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from explainery.supervisor.tether import tie
from workers.card_arrays import baselines_of, sample_of
from workers.inside.watched import plain_attention
from workers.one_at_a_time import one_at_a_time
from workers.plugins import Place
from workers.registry import discover
from workers.repository import Repository
from workers.runtimes.onnx.session import opened
from workers.twins import compare, twin_files

LONGEST_S = 600
"""Wall clock; an export that takes longer is given up."""
KINDNESS = 10
"""How much the jobs go before this: see nice(2)."""


def main(arguments: list[str]) -> None:
    """Export, compare, write."""
    parent, name, version, digest = arguments
    if sys.platform == "linux":
        tie(signal.SIGKILL)
    if os.getppid() != int(parent):
        return
    os.nice(KINDNESS)
    signal.alarm(LONGEST_S)
    torch.set_num_threads(1)
    settings = all_settings.load()
    folder = settings.home / "twins"
    with one_at_a_time(folder / "making.lock"):
        ready, refusal = twin_files(folder, digest)
        if ready.exists() or refusal.exists():  # another worker's was first
            return
        try:
            content = _checked_twin(settings, name, int(version), digest)
        except Exception as error:  # whatever an exporter meets: the model goes without a twin
            reason = error.detail if isinstance(error, ExplaineryError) else f"{type(error).__name__} while it was exported"
            _write(refusal, json.dumps({"reason": reason}).encode())
        else:
            _write(ready, content)


def _checked_twin(settings: all_settings.Settings, name: str, version: int, digest: str) -> bytes:
    """The twin's file. Raises Differs, or whatever the exporter does."""
    card, files = Repository(settings.models_url).files(name, version, digest)
    place = Place("cpu", settings)
    runtime = discover(settings.plugins).runtime_of(card.format)
    model: Any = runtime.load(card, files, place)  # type: ignore[union-attr]  # the worker has loaded it before
    sample = sample_of(card, files)
    like = {spec.name: model.place(_like(card, spec.name, sample)) for spec in card.inputs}
    content = exported(card, model.alone(), like)
    compare(opened(card, content, place), card, model, sample, baselines_of(card, files))
    return content


def exported(card: ModelCard, module: torch.nn.Module, like: dict[str, torch.Tensor]) -> bytes:
    """A module as an ONNX file with the card's names; rows, and what the card leaves open, are of any number."""
    module = module.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    shapes = [
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(spec.shape) if axis == 0 or size == -1}
        for spec in card.inputs
    ]
    with warnings.catch_warnings(), plain_attention():  # the fused layers of a transformer have no form in ONNX
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            _Positional(module),
            tuple(like[spec.name] for spec in card.inputs),
            dynamo=True,
            dynamic_shapes=(tuple(shapes),),
            input_names=[spec.name for spec in card.inputs],
            output_names=[card.score_output.name],
            verbose=False,
        )
    assert program is not None  # noqa: S101  with dynamo there is one
    return bytes(program.model_proto.SerializeToString())


class _Positional(torch.nn.Module):
    """A module that takes its inputs in order, whatever it calls them."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.module(*inputs)
        return output


def _like(card: ModelCard, name: str, sample: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Two rows to export with."""
    spec = card.input(name)
    if name in sample:
        rows = np.concatenate([sample[name], sample[name]])[:2]
    else:  # all of a text is attended to
        rows = np.full((2, *(8 if size == -1 else size for size in spec.row_shape)), spec.modality == "text_mask")
    return rows.astype(NUMPY_NAMES[spec.datatype])


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    aside = path.with_suffix(".part")
    aside.write_bytes(content)
    aside.replace(path)


if __name__ == "__main__":
    main(sys.argv[1:])
