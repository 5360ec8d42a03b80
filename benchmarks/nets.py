"""Nets with random weights from fixed seeds: speed does not depend on what they learned."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


def mlp(features: int = 12, width: int = 64, outputs: int = 3) -> nn.Module:
    """A small table model."""
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))


def small_cnn(size: int = 8) -> nn.Module:
    """A CNN for digits of size x size pixels."""
    flat = 32 * (size // 2) ** 2
    return nn.Sequential(*_layer(1, 16), *_layer(16, 32), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(flat, 10))


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


class Attend(nn.Module):
    """One encoder layer of a vision transformer (Dosovitskiy et al., ICLR 2021): pre-norm attention and MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, width] -> the same."""
        parts = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return cast(torch.Tensor, x + self.mlp(self.norm2(x)))


class VisionTransformer(nn.Module):
    """ViT-Tiny's shape: patches of 16, width 192, 12 layers, 3 heads."""

    def __init__(self, outputs: int = 1000, width: int = 192, layers: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 197, width))
        self.layers = nn.Sequential(*(Attend(width, heads) for _ in range(layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, 3, 224, 224] -> logits."""
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], dim=1) + self.places
        return cast(torch.Tensor, self.head(self.layers(tokens)[:, 0]))


def vit_tiny(outputs: int = 1000) -> nn.Module:
    """A vision transformer of 5.7 million weights."""
    return VisionTransformer(outputs)


def mobilenet(outputs: int = 1000) -> nn.Module:
    """MobileNet's shape: depthwise and pointwise convolutions (Howard et al., 2017)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    channels = 32
    for out, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1)):
        layers += [
            nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        layers += [nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, outputs))
