"""What is in the zoo: each entry makes one ONNX file, says what goes in, and what it was made from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from zoo import light, nets, quantised, tables
from zoo.exports import DYNAMO, exported, seeded

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Entry:
    """One file. `source`: the torch net it was exported from. `refused`: words of the reason why it has no gradients."""

    name: str
    make: Callable[[], bytes]
    inputs: Callable[[], Arrays]
    output: str = "score"
    source: Callable[[], nn.Module] | None = None
    refused: str = ""
    short: bool = False
    """Whether it is small enough for `make test`."""
    kept: bool = field(default=True)
    """Whether the file is worth a place in the cache."""


def numbers(*shape: int) -> Arrays:
    return {"x": np.random.Generator(np.random.Philox(1)).normal(size=shape).astype(np.float32)}


def words(time: int = 12) -> Arrays:
    return {"ids": np.random.Generator(np.random.Philox(1)).integers(0, 50, size=(2, time))}


def towers() -> Arrays:
    return {"table": numbers(2, 5)["x"], "picture": numbers(2, 1, 8, 8)["x"]}


PICTURE = functools.partial(numbers, 2, 3, 32, 32)
GREY = functools.partial(numbers, 2, 1, 16, 16)
SERIES = functools.partial(numbers, 2, 9, 6)
TABLE = functools.partial(numbers, 3, 10)
LSTM, GRU, RNN = (functools.partial(nets.Recurrent, kind) for kind in (nn.LSTM, nn.GRU, nn.RNN))
BOTH = {"bidirectional": True, "num_layers": 2}

NETS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Arrays], tuple[int, ...], tuple[int, ...]]] = {
    # name: net, inputs, opsets of the TorchScript exporter, opsets of the torch.export one
    "mlp": (nets.mlp, TABLE, (17, 20), (18, 23)),
    "mlp-tanh": (functools.partial(nets.mlp, nn.Tanh), TABLE, (9,), ()),
    "mlp-silu": (functools.partial(nets.mlp, nn.SiLU), TABLE, (), (21,)),
    "gated": (nets.gated_mlp, TABLE, (17,), (20,)),
    "cnn": (nets.cnn, GREY, (11, 17), (18, 23)),
    "resnet": (nets.resnet, PICTURE, (17,), (22,)),
    "senet": (functools.partial(nets.resnet, True), PICTURE, (18,), (18,)),
    "mobilenet": (nets.mobilenet, PICTURE, (17,), (21,)),
    "mobilenet-hardswish": (functools.partial(nets.mobilenet, nn.Hardswish), PICTURE, (17,), ()),
    "densenet": (nets.densenet, PICTURE, (17,), (23,)),
    "inception": (nets.inception, PICTURE, (17,), (18,)),
    "convnext": (nets.convnext, PICTURE, (17,), (20,)),
    "vgg": (nets.vgg, PICTURE, (13,), (19,)),
    "shufflenet": (nets.shufflenet, PICTURE, (17,), (18,)),
    "unet": (nets.unet, GREY, (17,), (18, 23)),
    "unet-transposed": (functools.partial(nets.unet, True), GREY, (17,), ()),
    "autoencoder": (nets.Autoencoder, GREY, (17,), (22,)),
    "lstm": (LSTM, SERIES, (14, 17), (18, 23)),
    "lstm-both": (functools.partial(LSTM, **BOTH), SERIES, (17,), (20,)),
    "gru": (GRU, SERIES, (17,), (18,)),
    "gru-both": (functools.partial(GRU, **BOTH), SERIES, (17,), ()),
    "rnn": (RNN, SERIES, (17,), ()),
    "rnn-relu": (functools.partial(RNN, nonlinearity="relu"), SERIES, (17,), ()),
    "temporal": (nets.Temporal, SERIES, (17,), (21,)),
    "encoder": (functools.partial(nets.SeriesTransformer, "gelu", False), SERIES, (17,), (18, 23)),
    "encoder-first": (functools.partial(nets.SeriesTransformer, "relu", True), SERIES, (17,), ()),
    "vit": (functools.partial(nets.ViT, False), PICTURE, (17,), (18,)),
    "vit-fused": (functools.partial(nets.ViT, True), PICTURE, (17,), (23,)),
    "windows": (nets.Windows, PICTURE, (17,), (18,)),
    "text-cnn": (nets.TextCNN, words, (17,), (18,)),
    "bert": (nets.Bert, words, (17,), (18, 23)),
    "bert-fused": (functools.partial(nets.Bert, True), words, (17,), (23,)),
    "gpt": (nets.Gpt, words, (17,), (18,)),
    "gpt-fused": (functools.partial(nets.Gpt, True), words, (17,), (23,)),
    "llama": (nets.Llama, words, (17,), (20,)),
    "towers": (nets.TwoTowers, towers, (17,), (18,)),
    "indexed": (nets.Indexed, TABLE, (17,), (18,)),
}  # fmt: skip
SHORT = {
    "mlp-script17", "cnn-script17", "resnet-script17", "unet-script17", "lstm-both-script17", "gru-script17", "vit-script17",
    "bert-script17", "encoder-script17", "indexed-script17", "cnn-export18", "encoder-export23", "sk-mlp", "sk-logistic",
    "sk-forest", "qdq-mlp",
}  # fmt: skip


def entries() -> list[Entry]:
    """Every entry that can be made here, by name."""
    found = [entry for name in NETS for entry in _of_net(name)]
    found += [
        Entry(f"{name}-fixed", _maker(NETS[name], 17, False, False), NETS[name][1], source=_source(name))
        for name in ("cnn", "lstm", "towers")
    ]
    found += [
        Entry(f"sk-{name}", make, tables.inputs_of(name), tables.OUTPUTS[name], refused=tables.REFUSED.get(name, ""))
        for name, make in tables.MODELS.items()
    ]
    found += [
        Entry(
            f"light-{name}",
            functools.partial(light.make, name),
            functools.partial(light.inputs, name),
            light.OUTPUT,
            kept=False,
        )
        for name in light.NAMES
    ]
    found += [
        Entry(name, functools.partial(make, _maker(NETS[net], 17, False, True), NETS[net][1]), NETS[net][1])
        for name, (make, net) in quantised.MODELS.items()
    ]
    return sorted((_shortened(entry) for entry in found), key=lambda entry: entry.name)


def _of_net(name: str) -> list[Entry]:
    _, inputs, script, export = NETS[name]
    made = [(f"{name}-script{opset}", opset, False) for opset in script]
    made += [(f"{name}-export{opset}", opset, True) for opset in export if DYNAMO]
    return [
        Entry(label, _maker(NETS[name], opset, dynamo, True), inputs, source=_source(name)) for label, opset, dynamo in made
    ]


def _maker(net: Any, opset: int, dynamo: bool, open_batch: bool) -> Callable[[], bytes]:
    def make() -> bytes:
        # the mode in which nn.TransformerEncoder takes its fast path has no ONNX form
        torch.backends.mha.set_fastpath_enabled(False)
        return exported(seeded(net[0]), net[1](), opset, dynamo=dynamo, open_batch=open_batch)

    return make


def _source(name: str) -> Callable[[], nn.Module]:
    return lambda: seeded(NETS[name][0])


def _shortened(entry: Entry) -> Entry:
    return Entry(**{**entry.__dict__, "short": entry.name in SHORT})
