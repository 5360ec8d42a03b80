"""Layer-wise relevance propagation: the score is handed back layer by layer, each output's share to the inputs that made it.

Bach et al., On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation, PLOS ONE 2015;
Montavon et al., Layer-Wise Relevance Propagation: An Overview, 2019. What flows backwards is relevance, and begins as the
score. Linear layers follow the composite's rule; sums, means, average pools and lone batch normalisations the epsilon rule, so
that a residual sum gives each branch what it contributed; activations hand on what they get; a maximum's winner takes all;
moving elements moves relevance. A batch normalisation after a linear layer is one layer with it. The first layer is the one
that reads the model's input, as it is or rescaled. Softmax, products of two tensors that vary (attention, gates),
normalisations by a row's own statistics and recurrent kernels have no rule here and are refused by name. LRP is claimed by
patents; an operator can switch the method off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch

from workers.inside.backward import kinds
from workers.inside.backward.affine import Layer, batch_norm_numbers, layer_of
from workers.inside.backward.answered import answered
from workers.inside.backward.calls import Call, tensors_in
from workers.inside.backward.composites import COMPOSITES
from workers.inside.backward.notes import Notes
from workers.inside.backward.relevance import alpha_beta_shares, by_sign, by_value, evenly, gamma_shares, in_box
from workers.inside.backward.ruled import Rule, Ruled

TINY = 1e-9
"""What keeps a quotient off zero where no epsilon is asked for."""


def _activation(mode: Mode, call: Call) -> Any:
    """Relevance passes an elementwise function as it is."""
    if len(call.varying) != 1:
        raise mode.refused(f"{call.name} of two varying tensors", mode.method)
    value, x = call.value(), call.varying[0]
    return answered(lambda: value, x if x.shape == value.shape else x.expand(value.shape))


def _layer(mode: Mode, call: Call) -> Any:
    layer = layer_of(call)
    if layer is None:
        raise mode.refused(f"{call.name} of two varying tensors", mode.method)
    return mode.handed(layer)


def _sum(mode: Mode, call: Call) -> Any:
    """Each addend's share; a sum with numbers joins the layer before it, or changes the input's units."""
    addends = call.varying
    if call.name in ("add", "sub") and sum(tensor.requires_grad for tensor in call.tensors) == 1:
        joined = mode.joined_shift(call)
        if joined is not None:
            return joined
    return by_value(lambda *leaves: call.of(dict(zip(map(id, addends), leaves, strict=True))).run(), TINY, *addends)


def _scale(mode: Mode, call: Call) -> Any:
    """Times or over numbers: one element stays one element."""
    if call.name == "div" and not call.args[0].requires_grad:
        raise mode.refused("div by a varying tensor", mode.method)
    scaled = _activation(mode, call)
    mode.rescaled(call, scaled)
    return scaled


def _batch_norm(mode: Mode, call: Call) -> Any:
    if any(flag is True for flag in (*call.args[5:6], call.kwargs.get("training"))):
        raise mode.refused("batch_norm in training mode", mode.method)
    x = call.varying[0]
    scale, shift = batch_norm_numbers(call)
    before = mode.layer_before(x)
    joint = before.scaled(scale, shift, x.ndim) if before is not None else None
    wide = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    scale, shift = scale.reshape(wide), shift.reshape(wide)
    normed = by_value(lambda leaf: leaf * scale + shift, TINY, x) if joint is None else mode.handed(joint)
    return (normed, torch.empty(0), torch.empty(0)) if call.name == "native_batch_norm" else normed


def _dropout(mode: Mode, call: Call) -> Any:
    if any(flag is True for flag in (*call.args[2:3], call.kwargs.get("train"), call.kwargs.get("training"))):
        raise mode.refused("dropout in training mode", mode.method)
    return call.run()


def _softmax(mode: Mode, call: Call) -> Any:
    raise mode.refused(
        f"{call.name} (explain the scores before it: a model or output without its last {call.name})", mode.method
    )


class Mode(Ruled):
    """See the file's text. Options: `composite`, `epsilon`, `gamma`, `alpha`, `low`, `high`. Raises OperationWithoutRule."""

    method = "lrp"
    relevance = True
    rules: ClassVar[Mapping[str, Rule]] = {
        **dict.fromkeys(kinds.ELEMENTWISE - {"rdiv", "reciprocal", "rsqrt"}, _activation),
        **dict.fromkeys(kinds.SUMS, _sum),
        **dict.fromkeys(
            kinds.CONVOLUTIONS | {"linear", "matmul", "mm", "bmm", "mv", "rmatmul", "addmm", "addmv", "baddbmm"}, _layer
        ),
        **dict.fromkeys(kinds.NORMS_BY_NUMBERS, _batch_norm),
        **dict.fromkeys(kinds.DROPOUTS, _dropout),
        **dict.fromkeys(("mul", "div", "neg"), _scale),
        **dict.fromkeys(("softmax", "log_softmax", "logsumexp"), _softmax),
    }
    plain = kinds.MOVES | kinds.PROPERTIES | kinds.POOLS_OF_MAXIMA | {"amax", "max", "amin", "min", "where", "detach"}

    def __init__(self, options: Mapping[str, Any], where: Callable[[], str] = lambda: "") -> None:
        super().__init__(options, where)
        self.composite = COMPOSITES[options.get("composite", "epsilon")]
        self.epsilon = float(options.get("epsilon", 1e-9))
        self._layers: Notes[tuple[Layer, int]] = Notes()
        self._inner: Notes[bool] = Notes()
        """Tensors that are no longer the model's input, moved or in other units."""

    def handed(self, layer: Layer) -> torch.Tensor:
        """The layer's output, whose relevance goes back by the composite's rule for it."""
        rule = self._rule_of(layer)
        y = _RULES[rule](self, layer)
        self._layers[y] = (layer, y._version)
        return y

    def layer_before(self, x: torch.Tensor) -> Layer | None:
        """The layer whose output a tensor is, unless it was written to since."""
        layer, version = self._layers.get(x) or (None, 0)
        return layer if version == x._version else None

    def joined_shift(self, call: Call) -> torch.Tensor | None:
        """A sum with numbers as one layer with the layer before it, or as other units of the input; else None."""
        x = call.varying[0]
        layer = self.layer_before(x)
        value = call.value()
        if value.shape != x.shape:
            return None
        if layer is not None:
            return self.handed(layer.shifted(call.of({id(x): torch.zeros_like(x)}).value()))
        if x not in self._inner:
            moved = answered(lambda: value, x)
            self.rescaled(call, moved)
            return moved
        return None

    def rescaled(self, call: Call, result: torch.Tensor) -> None:
        """An input in other units is an input still: says so to `followed`."""
        if call.varying[0] not in self._inner:
            self._units = result

    _units: torch.Tensor | None = None

    def followed(self, call: Call, result: Any) -> Any:
        """Keep account of what is the model's input still."""
        units, self._units = self._units, None
        moved = call.name in kinds.MOVES and not any(tensor in self._inner for tensor in call.varying)
        if units is not result and not moved:
            for tensor in tensors_in(result):
                if tensor.requires_grad:
                    self._inner[tensor] = True
        return result

    def wrote(self, target: torch.Tensor, answer: torch.Tensor) -> None:
        """A tensor that was written to is no input any more, unless in other units."""
        if answer in self._inner:
            self._inner[target] = True

    def _rule_of(self, layer: Layer) -> str:
        if self.composite.first is not None and layer.x not in self._inner:
            return self.composite.first
        return self.composite.conv if layer.kind == "conv" else self.composite.dense


def _epsilon(mode: Mode, layer: Layer, epsilon: float | None = None) -> torch.Tensor:
    bias = layer.bias

    def function(x: torch.Tensor) -> torch.Tensor:
        y = layer.apply(x, layer.weight)
        return y if bias is None else y + bias

    return by_value(function, mode.epsilon if epsilon is None else epsilon, layer.x)


_RULES: Mapping[str, Callable[[Mode, Layer], torch.Tensor]] = {
    "epsilon": _epsilon,
    "zero": lambda mode, layer: _epsilon(mode, layer, 0.0),
    "gamma": lambda mode, layer: by_sign(layer, gamma_shares(float(mode.options.get("gamma", 0.25)), TINY)),
    "alpha_beta": lambda mode, layer: by_sign(layer, alpha_beta_shares(float(mode.options.get("alpha", 2.0)), TINY)),
    "plus": lambda mode, layer: by_sign(layer, alpha_beta_shares(1.0, TINY)),
    "alpha2_beta1": lambda mode, layer: by_sign(layer, alpha_beta_shares(2.0, TINY)),
    "flat": lambda mode, layer: evenly(layer, TINY),
    "box": lambda mode, layer: in_box(layer, TINY, mode.options.get("low"), mode.options.get("high")),
}
