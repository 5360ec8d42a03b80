"""A model's layers: what a client may name, published by the worker that has opened the model and called it once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal

from explainery.contract.errors import AmbiguousLayer, NoAttention, NoSpatialMap, RequestRefused, UnknownLayer
from explainery.contract.frozen import Frozen

AUTO = "auto"
LayerKind = Literal["any", "map", "attention"]
"""What a method needs of a layer: nothing, a spatial map, or attention weights."""
NAMES_SHOWN = 8
LOC = "params.layer"


class LayerSpec(Frozen):
    """One layer, in the order in which layers put out their results.

    `shape`: one row of its output. `parameters`: numbers it has learned, of all layers inside it.
    """

    path: str
    type: str
    shape: tuple[int, ...]
    parameters: int
    grid: tuple[int, int] | None = None
    """Rows and columns of its spatial map, where it has one."""
    channel_axis: int = 0
    """Which axis of `shape` numbers the map's channels; the map is the other axes."""
    tokens_before: int = 0
    """Class tokens in front of the grid's tokens."""
    attention: tuple[int, ...] | None = None
    """[heads, queries, keys] of the attention weights it computes, where it does."""
    convolution: bool = False

    def is_a(self, kind: LayerKind) -> bool:
        """Whether a method that needs this kind works on the layer."""
        return kind == "any" or (self.grid if kind == "map" else self.attention if kind == "attention" else None) is not None


def chosen(layers: Sequence[LayerSpec], asked: str, kind: LayerKind) -> LayerSpec:
    """The layer a client asks for; "auto": the last map that counts (see `_last_map`), the last attention, or the last layer.

    Raises UnknownLayer, AmbiguousLayer, NoSpatialMap, NoAttention.
    """
    fitting = [layer for layer in layers if layer.is_a(kind)]
    if asked == AUTO:
        if not fitting:
            raise _lacking(kind, "The model has no layer that")
        return _last_map(layers, fitting) if kind == "map" else fitting[-1]
    layer = named(layers, asked)
    if not layer.is_a(kind):
        raise _lacking(kind, f"Layer {layer.path} is not one that", [layer.path for layer in fitting])
    return layer


def _last_map(layers: Sequence[LayerSpec], maps: Sequence[LayerSpec]) -> LayerSpec:
    """Of a vision transformer what its last attention reads: behind it a class token alone may go on to the output.

    Of a convolutional net its last convolution.
    """
    of_tokens = [layer for layer in maps if len(layer.shape) == len(layer.grid or ())]
    attending = [layer.path for layer in layers if layer.attention is not None]
    if of_tokens and attending:
        inside = f"{attending[-1]}."
        end = next(place for place, layer in enumerate(layers) if layer.path == attending[-1] or layer.path.startswith(inside))
        before = [layer for layer in layers[:end] if layer in of_tokens]
        if before:
            return before[-1]
    return _last_convolution(maps)


def _last_convolution(maps: Sequence[LayerSpec]) -> LayerSpec:
    """The last convolution's map, or the last map where there is no convolution.

    With a batch normalisation right behind it, that one's: exporters make one layer of the two.
    """
    places = [place for place, layer in enumerate(maps) if layer.convolution]
    if not places:
        return maps[-1]
    place = places[-1]
    behind = maps[place + 1] if place + 1 < len(maps) else None
    normalised = behind is not None and behind.type.startswith("BatchNorm") and behind.shape == maps[place].shape
    return behind if behind is not None and normalised else maps[place]


def named(layers: Sequence[LayerSpec], asked: str) -> LayerSpec:
    """The layer of that name. Raises UnknownLayer with near names, AmbiguousLayer where it is called several times."""
    for layer in layers:
        if layer.path == asked:
            return layer
    calls = [layer.path for layer in layers if layer.path.rpartition("#")[0] == asked]
    if calls:
        raise _refused(AmbiguousLayer, f"That layer is called {len(calls)} times in one pass: name the call, {_listed(calls)}.")
    known = [layer.path for layer in layers]
    near = get_close_matches(asked[:256], known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {_listed(known)}."
    raise _refused(UnknownLayer, f"The model has no layer of that name; {hint}")


def _lacking(kind: LayerKind, subject: str, fitting: Sequence[str] = ()) -> RequestRefused:
    those = f" Those that do: {_listed(fitting)}." if fitting else ""
    if kind == "map":
        return _refused(NoSpatialMap, f"{subject} puts out a spatial map.{those}")
    if kind == "attention":
        return _refused(NoAttention, f"{subject} computes attention weights.{those}")
    return _refused(UnknownLayer, f"{subject} can be looked at.{those}")


def _refused(cause: type[RequestRefused], detail: str) -> RequestRefused:
    return cause(detail, [{"loc": LOC, "msg": detail}])


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[-NAMES_SHOWN:] if more else names)}{more}" or "none"
