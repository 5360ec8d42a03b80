"""Score-CAM: the maps of a layer, each weighted by how much of the score it keeps when it masks the input. No gradients.

    M = ReLU(sum over channels k of w_k A_k),  w = softmax over k of f(b + H_k (x - b)) - f(b)

H_k is A_k, upsampled to the input and brought to [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.model_card import InputSpec
from workers.game import Explaining, Game, Params, Partition
from workers.maps import channels_of, drawn, look, upsampled
from workers.parameters import LAYER, RELU
from workers.questions import Floats, Values

SPEC = MethodSpec(
    name="score_cam",
    title="Score-CAM",
    summary="Where a layer's maps speak for the target: each map weighted by the score of the input seen through it.",
    asks=("internals", "values"),
    params=(
        LAYER,
        RELU,
        Param(
            name="samples",
            type="integer",
            default=512,
            unit="model evaluations",
            minimum=1,
            maximum=100_000,
            help="Most maps that are tried: those with the largest activation.",
        ),
    ),
    layer="map",
    calls=Calls(values="samples", gradients="1", adaptive="1", least="1"),
    completeness=False,
    reference="Wang et al., Score-CAM, CVPR workshop 2020",
)
AT_ONCE = 32
"""Masks in one question: they are as large as the picture."""


def players(inputs: Sequence[InputSpec], shapes: Mapping[str, tuple[int, ...]], params: Params) -> Partition:
    """Every place of a picture is a player, all its channels together; an input that is no picture is one."""
    labels = {}
    count = 0
    for spec in inputs:
        shape = shapes[spec.name]
        places = np.zeros(shape, dtype=np.int64)
        if spec.modality == "image":
            size = shape[:2] if spec.layout == "NHWC" else shape[-2:]
            grid = np.arange(size[0] * size[1]).reshape(size)
            places = np.broadcast_to(grid[..., None] if spec.layout == "NHWC" else grid, shape).copy()
        labels[spec.name] = places + count
        count += int(places.max()) + 1
    return Partition(labels)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: a look at the layer, then the score behind each of its maps."""
    answer = yield look(game, gradients=False)
    layer = game.layers[0]
    activation = channels_of(layer, answer.activations[layer.path])
    low, high = (bound(activation, axis=(1, 2)) for bound in (np.min, np.max))
    tried = np.flatnonzero(high > low)
    tried = np.sort(tried[np.argsort(-activation[tried].sum(axis=(1, 2)), kind="stable")][: params["samples"]])
    scores = np.zeros(0)
    for start in range(0, len(tried), AT_ONCE):
        some = tried[start : start + AT_ONCE]
        masks = (activation[some] - low[some, None, None]) / (high - low)[some, None, None]
        values = yield Values(_coalitions(game, masks))
        scores = np.concatenate([scores, values - game.baseline_output])
    weights = np.exp(scores - scores.max(initial=0.0))
    raw = np.tensordot(weights / max(weights.sum(), 1e-300), activation[tried], 1)
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1 + int(params["samples"])


def _coalitions(game: Game, masks: Floats) -> Floats:
    """Masks [k, rows, columns] of the layer as shares of every player, [k, players]; what is no picture stays present."""
    shares = np.ones((len(masks), game.players))
    for view in game.inputs:
        if view.modality == "image":
            size = view.shape[:2] if view.layout == "NHWC" else view.shape[-2:]
            shares[:, game.partition.of_input(view.name)] = upsampled(masks, size).reshape(len(masks), -1)
    return shares
