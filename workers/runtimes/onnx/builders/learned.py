"""Operators of ai.onnx.ml that have a gradient: linear models, scalers, normalisers. Trees, SVMs and neighbours are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.builders.products import linear
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import ML, builds


class Floating(nn.Module):
    """Turns whole numbers into single precision in front of a module, as these operators do."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> Any:
        """The module's answer."""
        return self.module(x if x.is_floating_point() else x.float())


def _layer(node: Node, rows: int, bias: list[float] | None) -> nn.Linear:
    weights = torch.tensor(node.numbers("coefficients") or [], dtype=torch.float32)
    if rows < 1 or weights.numel() == 0 or weights.numel() % rows or (bias is not None and len(bias) not in (0, rows)):
        node.refuse("has coefficients or intercepts of another size than its targets")
    return linear(weights.reshape(rows, -1), torch.tensor(bias, dtype=torch.float32) if bias else None)


def _transform(node: Node) -> nn.Module:
    name = node.text("post_transform", "NONE")
    if name not in ("NONE", "LOGISTIC", "SOFTMAX"):
        node.refuse("has a post_transform that is not translated")
    if name == "LOGISTIC":
        return nn.Sigmoid()
    return nn.Softmax(-1) if name == "SOFTMAX" else nn.Identity()


@builds("LinearRegressor", domain=ML)
def linear_regressor(node: Node) -> nn.Module:
    """A linear layer."""
    layer = _layer(node, node.whole("targets", 1), node.numbers("intercepts"))
    return Floating(nn.Sequential(layer, _transform(node)))


class Classifier(nn.Module):
    """A linear layer's scores, transformed, and the label of the highest."""

    def __init__(self, layer: nn.Module, transform: nn.Module, labels: torch.Tensor | None) -> None:
        super().__init__()
        self.layer, self.transform = layer, transform
        self.register_buffer("labels", labels)

    def forward(self, x: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Labels (None where they are texts) and scores."""
        scores = self.transform(self.layer(x))
        labels: Any = self.labels
        return (None if labels is None else labels[scores.argmax(-1)]), scores


@builds("LinearClassifier", outputs=2, domain=ML)
def linear_classifier(node: Node) -> nn.Module:
    """Scores per class. The form with one score for two classes is refused."""
    numbers, texts = node.wholes("classlabels_ints"), node.texts("classlabels_strings")
    bias = node.numbers("intercepts")
    count = len(numbers or texts or [])
    node.ignore("multi_class")
    if bias and len(bias) != count:
        node.refuse("has one score for two classes, which is not translated")
    layer = _layer(node, count, bias)
    return Classifier(Floating(layer), _transform(node), None if numbers is None else torch.tensor(numbers))


@builds("Scaler", domain=ML)
def scaler(node: Node) -> nn.Module:
    """(x - offset) scale."""
    offset, scale = torch.tensor(node.numbers("offset") or [0.0]), torch.tensor(node.numbers("scale") or [1.0])
    return Floating(Scaled(offset, scale))


class Scaled(nn.Module):
    """(x - offset) scale, per column."""

    offset: torch.Tensor
    scale: torch.Tensor

    def __init__(self, offset: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset)
        self.register_buffer("scale", scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The scaled columns."""
        return (x - self.offset) * self.scale


@builds("Normalizer", domain=ML)
def normalizer(node: Node) -> nn.Module:
    """Rows by a norm; a row of norm zero stays as it is."""
    kind = node.text("norm", "MAX")
    if kind not in ("MAX", "L1", "L2"):
        node.refuse("has a norm that is not translated")

    def normed(x: torch.Tensor) -> torch.Tensor:
        if kind == "MAX":
            size = x.amax(-1, keepdim=True)
        else:
            size = x.abs().sum(-1, keepdim=True) if kind == "L1" else x.pow(2).sum(-1, keepdim=True).sqrt()
        return x / torch.where(size == 0, torch.ones_like(size), size)

    return Floating(Apply("Normalizer", normed))


@builds("Imputer", domain=ML)
def imputer(node: Node) -> nn.Module:
    """Missing numbers replaced by others."""
    replaced, values = node.number("replaced_value_float", 0.0), node.numbers("imputed_value_floats")
    if values is None:
        node.refuse("of whole numbers is not translated")
    filling = torch.tensor(values)

    def imputed(x: torch.Tensor) -> torch.Tensor:
        missing = torch.isnan(x) if np.isnan(replaced) else x == replaced
        return torch.where(missing, filling.to(x), x)

    return Floating(Apply("Imputer", imputed))


@builds("Binarizer", domain=ML)
def binarizer(node: Node) -> nn.Module:
    """One above a threshold, else zero; its gradient is zero."""
    threshold = node.number("threshold", 0.0)
    return Apply("Binarizer", lambda x: (x > threshold).to(x.dtype))


@builds("FeatureVectorizer", inputs=(1, None), domain=ML)
def feature_vectorizer(node: Node) -> nn.Module:
    """Columns side by side."""
    node.ignore("inputdimensions")
    return Apply(
        "FeatureVectorizer",
        lambda *parts: torch.cat([part.float() if not part.is_floating_point() else part for part in parts], -1),
    )


@builds("ArrayFeatureExtractor", inputs=(2, 2), domain=ML)
def array_feature_extractor(node: Node) -> nn.Module:
    """Some columns."""
    return Apply("ArrayFeatureExtractor", lambda x, places: x.index_select(-1, places.reshape(-1).long()))
