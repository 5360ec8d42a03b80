"""Spatial maps of a layer, and their way onto the picture (class activation maps)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import lru_cache

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from explainery.contract.errors import NoSpatialMap
from explainery.contract.layers import LayerSpec
from workers.coalitions import frozen
from workers.game import Game, InputView, Params
from workers.parameters import LAYER, RELU
from workers.questions import Answer, Floats, Internals, Map, Probe, Question, Solution


def cam(name: str, title: str, summary: str, reference: str) -> MethodSpec:
    """What the catalogue says of a class activation map that one look at a layer is enough for."""
    return MethodSpec(
        name=name,
        title=title,
        summary=summary,
        asks=("internals",),
        params=(LAYER, RELU),
        layer="map",
        calls=Calls(gradients="1", shows="instance"),
        completeness=False,
        reference=reference,
    )


def look(game: Game, *, gradients: bool = True) -> Internals:
    """The question every class activation map asks: the layer's output at the instance, and the score's gradient to it."""
    return Internals(Probe((game.layers[0].path,), activations=True, gradients=gradients))


def maps_and_gradients(game: Game) -> Generator[Question, Answer, tuple[Floats, Floats]]:
    """One look: the layer's maps A at the instance, and dS/dA; each [channels, rows, columns]."""
    answer = yield look(game)
    layer = game.layers[0]
    return channels_of(layer, answer.activations[layer.path]), channels_of(layer, answer.gradients[layer.path])


def channels_of(layer: LayerSpec, values: Floats) -> Floats:
    """A layer's output for one row as [channels, rows, columns]; class tokens are left out."""
    if layer.grid is None:
        raise NoSpatialMap(f"Layer {layer.path} puts out no spatial map.")
    if values.ndim == len(layer.grid) + 1:
        return np.moveaxis(values, layer.channel_axis, 0)
    return values[layer.tokens_before :].T.reshape(-1, *layer.grid)


def drawn(game: Game, raw: Floats, params: Params) -> Solution:
    """The answer of a class activation map: `raw` [rows, columns] upsampled to each picture, and itself beside it.

    Where the parameter `relu` says so, only what is positive in it.
    """
    layer = game.layers[0]
    raw = np.maximum(raw, 0) if params["relu"] else raw
    return Solution(per_element=onto_pictures(raw, game.inputs), maps=(Map("raw_map", raw, ("row", "column"), layer.path),))


def onto_pictures(raw: Floats, inputs: Sequence[InputView]) -> dict[str, Floats]:
    """The map on each picture, the same on all its channels; nothing on inputs that are no picture."""
    return {view.name: onto(raw, view) for view in inputs}


def onto(raw: Floats, view: InputView) -> Floats:
    """The map upsampled to one picture, shaped like a row of it."""
    if view.modality != "image":
        return np.zeros(view.shape)
    if view.layout == "NHWC":
        return np.repeat(upsampled(raw, view.shape[:2])[:, :, None], view.shape[2], axis=2)
    large = upsampled(raw, view.shape[-2:])
    return np.broadcast_to(large, view.shape).copy()


def upsampled(raw: Floats, size: Sequence[int]) -> Floats:
    """Bilinear, as `torch.nn.functional.interpolate` with align_corners=False does it; works on the last two axes."""
    rows, columns = (_weights(old, new) for old, new in zip(raw.shape[-2:], size, strict=True))
    return np.asarray(rows @ raw @ columns.T)


@lru_cache(maxsize=256)
def _weights(old: int, new: int) -> Floats:
    """[new, old]: the share of each old place in each new one. Cached and read-only."""
    centre = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, None)
    low = np.minimum(np.floor(centre).astype(int), old - 1)
    high = np.minimum(low + 1, old - 1)
    share = centre - low
    weights = np.zeros((new, old))
    np.add.at(weights, (np.arange(new), low), 1 - share)
    np.add.at(weights, (np.arange(new), high), share)
    return frozen(weights)
