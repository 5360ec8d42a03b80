"""From attention over tokens to a value for each token, and from there to the model's inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from explainery.contract.catalogue import Param
from explainery.contract.errors import NoAttention
from explainery.contract.layers import LayerSpec
from workers.game import Game, InputView
from workers.maps import onto
from workers.questions import Floats, Map, Solution

QUERY = Param(
    name="query",
    type="string",
    default="auto",
    choices=("auto", "first", "mean"),
    help='Whose attention is followed: the "first" token\'s, or the "mean" of all. "auto": the first where it stands for all.',
)
CLASS_TOKENS = 2
"""Most tokens in front of a picture's patches."""


def self_attention(layers: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """The layers whose tokens attend to each other. Raises NoAttention when there are none, or of several lengths."""
    square = [layer for layer in layers if layer.attention is not None and len(layer.attention) == 3]
    square = [layer for layer in square if layer.attention is not None and layer.attention[1] == layer.attention[2]]
    lengths = {layer.attention[2] for layer in square if layer.attention is not None}
    if len(lengths) != 1:
        found = f"lengths {sorted(lengths)}" if lengths else "none at all"
        raise NoAttention(
            f"This method follows self-attention through all layers; the model has {found}. Ask for attention_weights."
        )
    return tuple(square)


def followed(game: Game, relevance: Floats, query: str) -> Solution:
    """The answer of a method that has found what each token owes to each: `relevance` [tokens, tokens].

    Each token's value goes to the input's places that it stands for: patches of a picture, steps of a series, tokens of a text;
    where no input has such places it is a map alone.
    """
    tokens = len(relevance)
    of_picture = any(view.modality == "image" for view in game.inputs)
    of_text = any(view.modality == "text" for view in game.inputs)
    first = query == "first" or (query == "auto" and (before(tokens) > 0 if of_picture else of_text))
    values = relevance[0] if first else relevance.mean(axis=0)
    shares = {view.name: placed(values, view) for view in game.inputs}
    maps = (Map("tokens", values, ("token",)), Map("relevance", relevance, ("query", "key")))
    found = {name: share for name, share in shares.items() if share is not None}
    if not found:
        return Solution(maps=maps)
    whole = {view.name: found.get(view.name, np.zeros(view.shape)) for view in game.inputs}
    return Solution(per_element=whole, maps=maps)


def before(tokens: int) -> int:
    """How many class tokens come before the patches of a square; -1 when the rest is no square."""
    return next((extra for extra in range(CLASS_TOKENS + 1) if _side(tokens - extra) > 1), -1)


def placed(values: Floats, view: InputView) -> Floats | None:
    """The tokens' values on one input, shaped like a row of it; None where the input has no such places."""
    if view.modality == "image":
        extra = before(len(values))
        if extra < 0:
            return None
        side = _side(len(values) - extra)
        return onto(values[extra:].reshape(side, side), view)
    axis = next((axis for axis, size in enumerate(view.shape) if size == len(values)), None)
    if axis is None:
        return None
    shape = [len(values) if place == axis else 1 for place in range(len(view.shape))]
    return np.broadcast_to(values.reshape(shape), view.shape) / (math.prod(view.shape) / len(values))


def _side(tokens: int) -> int:
    """The side of a square of so many tokens; 0 when there is none."""
    side = math.isqrt(max(0, tokens))
    return side if side * side == tokens else 0
