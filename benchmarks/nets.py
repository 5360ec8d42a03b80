"""Nets with random weights from fixed seeds: speed does not depend on what they learned."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


def mlp(features: int = 12, width: int = 64, outputs: int = 3) -> nn.Module:
    """A small table model."""
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))


def small_cnn() -> nn.Module:
    """A CNN for 8 x 8 digits."""
    return nn.Sequential(*_layer(1, 16), *_layer(16, 32), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 10))


def _layer(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]


class Block(nn.Module):
    """The basic residual block (He et al., CVPR 2016)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Two convolutions and the shortcut."""
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(cast(torch.Tensor, self.bn2(self.conv2(y)) + self.shortcut(x)))


def resnet18(outputs: int = 1000) -> nn.Module:
    """ResNet-18's shape."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(channels, out, stride), Block(out, out, 1)]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, outputs))
