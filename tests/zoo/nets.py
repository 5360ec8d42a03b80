"""The zoo's torch nets: the shapes of well-known architectures, small, with random weights from a seed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1, act: Any = nn.ReLU) -> nn.Sequential:
    """Convolution, batch normalisation, activation."""
    layers = [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([act()] if act else []))


def head(channels: int, classes: int = 5) -> nn.Sequential:
    """Global average pool and a linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def mlp(act: Any = nn.ReLU) -> nn.Module:
    return nn.Sequential(nn.Linear(10, 32), act(), nn.LayerNorm(32), nn.Linear(32, 16), act(), nn.Linear(16, 4))


def gated_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 32), nn.GLU(), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 4), nn.LogSoftmax(-1))


def cnn() -> nn.Module:
    first = (nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
    second = (nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2))
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(16 * 4 * 4, 10))


class Bottleneck(nn.Module):
    """ResNet's residual block, with squeeze and excitation where asked."""

    def __init__(self, inputs: int, outputs: int, stride: int, excite: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3, act=None))
        self.skip = conv(inputs, outputs, 1, stride, act=None)
        gate = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(outputs, 4, 1), nn.ReLU(), nn.Conv2d(4, outputs, 1), nn.Hardsigmoid())
        self.gate = nn.Sequential(*gate) if excite else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        y = y * self.gate(y) if self.gate is not None else y
        return F.relu(y + self.skip(x))


def resnet(excite: bool = False) -> nn.Module:
    blocks = (Bottleneck(8, 8, 1, excite), Bottleneck(8, 16, 2, excite), Bottleneck(16, 32, 2, excite))
    return nn.Sequential(conv(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1), *blocks, head(32))


class Inverted(nn.Module):
    """MobileNet's inverted residual."""

    def __init__(self, channels: int, act: Any) -> None:
        super().__init__()
        wide = channels * 4
        narrow = conv(wide, channels, 1, act=None)
        self.body = nn.Sequential(conv(channels, wide, 1, act=act), conv(wide, wide, 3, 1, wide, act), narrow)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def mobilenet(act: Any = nn.ReLU6) -> nn.Module:
    return nn.Sequential(conv(3, 8, 3, 2, act=act), Inverted(8, act), Inverted(8, act), conv(8, 32, 1, act=act), head(32))


class Dense(nn.Module):
    """DenseNet's layer: what went in, and more channels."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, growth, 3, padding=1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def densenet() -> nn.Module:
    stem = (conv(3, 8, 3, 2), Dense(8, 8), Dense(16, 8))
    return nn.Sequential(
        *stem, conv(24, 12, 1), nn.AvgPool2d(2), Dense(12, 8), Dense(20, 8), nn.BatchNorm2d(28), nn.ReLU(), head(28)
    )


class Inception(nn.Module):
    """Branches of several sizes, side by side."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, 4, 1))
        wide = nn.Sequential(
            conv(inputs, 4, 1), nn.Conv2d(4, 8, (1, 5), padding=(0, 2)), nn.Conv2d(8, 8, (5, 1), padding=(2, 0))
        )
        self.branches = nn.ModuleList([conv(inputs, 8, 1), nn.Sequential(conv(inputs, 4, 1), conv(4, 8, 3)), wide, pool])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def inception() -> nn.Module:
    return nn.Sequential(conv(3, 8, 3, 2), nn.LocalResponseNorm(3), Inception(8), Inception(28), head(28))


class ConvNext(nn.Module):
    """ConvNeXt's block: wide depthwise convolution, layer normalisation over channels, scaled residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.body = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.scale = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(self.norm(self.depth(x).permute(0, 2, 3, 1)))
        return x + (self.scale * y).permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 16, 4, 4), ConvNext(16), ConvNext(16), head(16))


def vgg() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 8), (8, 16), (16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 16, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 5))


class Shuffle(nn.Module):
    """ShuffleNet's unit: half the channels worked on, then mixed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(conv(half, half, 1), conv(half, half, 3, groups=half, act=None), conv(half, half, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, two = x.chunk(2, 1)
        y = torch.cat([one, self.body(two)], 1)
        rows, channels, height, width = y.shape
        return y.view(rows, 2, channels // 2, height, width).transpose(1, 2).reshape(rows, channels, height, width)


def shufflenet() -> nn.Module:
    return nn.Sequential(conv(3, 16, 3, 2), Shuffle(16), Shuffle(16), head(16))


class UNet(nn.Module):
    """Down, up again (by interpolation or transposed convolutions), and skips; answers the mean of each map."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = conv(1, 8), conv(8, 16), conv(16, 32)
        self.raise2 = (
            nn.ConvTranspose2d(32, 16, 2, 2) if transposed else nn.Sequential(nn.Upsample(scale_factor=2), conv(32, 16))
        )
        bilinear = nn.Upsample(scale_factor=2, mode="bilinear")
        self.raise1 = nn.ConvTranspose2d(16, 8, 2, 2) if transposed else nn.Sequential(bilinear, conv(16, 8))
        self.up2, self.up1 = conv(32, 16), conv(16, 8)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        deep = self.middle(F.max_pool2d(two, 2))
        two = self.up2(torch.cat([two, self.raise2(deep)], 1))
        one = self.up1(torch.cat([one, self.raise1(two)], 1))
        return self.last(one).mean((2, 3))


def unet(transposed: bool = False) -> nn.Module:
    return UNet(transposed)


class Autoencoder(nn.Module):
    """Strided down and up; answers how well each row is rebuilt."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(8, 4, 3, 2, 1), nn.Tanh())
        up = (nn.ConvTranspose2d(4, 8, 3, 2, 1, output_padding=1), nn.ELU(), nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Sigmoid())
        self.decode = nn.Sequential(*up)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.decode(self.encode(x)) - x).pow(2).flatten(1).mean(1, keepdim=True)


class Recurrent(nn.Module):
    """A recurrent layer (or two) and its last state."""

    def __init__(self, kind: Any, **options: Any) -> None:
        super().__init__()
        self.layer = kind(6, 12, batch_first=True, **options)
        self.last = nn.Linear(24 if options.get("bidirectional") else 12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layer(x)[0][:, -1])


class Temporal(nn.Module):
    """Dilated causal convolutions along time."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(6 if n == 0 else 12, 12, 2, dilation=2**n) for n in range(3)])
        self.last = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2)
        for number, layer in enumerate(self.layers):
            y = layer(F.pad(x, (2**number, 0)))
            x = torch.tanh(y) * torch.sigmoid(y) + (x if number else 0)
        return self.last(x.amax(-1))


class SeriesTransformer(nn.Module):
    """torch's own encoder over a series."""

    def __init__(self, act: str, first: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation=act, norm_first=first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.encoder(self.embed(x)).mean(1))


class Attention(nn.Module):
    """Multi-head attention written out, causal where asked."""

    def __init__(self, size: int, heads: int, causal: bool, fused: bool = False) -> None:
        super().__init__()
        self.heads, self.causal, self.fused = heads, causal, fused
        self.packed, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, time, size = x.shape
        q, k, v = self.packed(x).view(rows, time, 3, self.heads, size // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(size // self.heads)
            if self.causal:
                later = torch.ones(time, time, dtype=torch.bool).triu(1)
                scores = scores.masked_fill(later, float("-inf"))
            mixed = scores.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(rows, time, size))


class Block(nn.Module):
    """A transformer's block, normalised before or after."""

    def __init__(self, size: int, heads: int, causal: bool, before: bool, act: Any, fused: bool = False) -> None:
        super().__init__()
        self.attention = Attention(size, heads, causal, fused)
        self.one, self.two, self.before = nn.LayerNorm(size), nn.LayerNorm(size), before
        self.wide = nn.Sequential(nn.Linear(size, 4 * size), act, nn.Linear(4 * size, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.before:
            x = x + self.attention(self.one(x))
            return x + self.wide(self.two(x))
        x = self.one(x + self.attention(x))
        return self.two(x + self.wide(x))


class ViT(nn.Module):
    """Patches, a class token, positions, blocks."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16))
        self.blocks = nn.Sequential(*[Block(16, 4, False, True, nn.GELU(), fused) for _ in range(2)])
        self.norm, self.last = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.last(self.norm(self.blocks(x))[:, 0])


class Windows(nn.Module):
    """Attention within windows that are shifted, as Swin has it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.attention, self.norm, self.last = Attention(16, 4, False), nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).permute(0, 2, 3, 1)
        for shift in (0, 2):
            moved = torch.roll(self.norm(x), (-shift, -shift), (1, 2))
            rows, height, width, size = moved.shape
            cut = moved.view(rows, height // 4, 4, width // 4, 4, size).permute(0, 1, 3, 2, 4, 5)
            mixed = self.attention(cut.reshape(-1, 16, size)).view(rows, height // 4, width // 4, 4, 4, size)
            x = x + torch.roll(mixed.permute(0, 1, 3, 2, 4, 5).reshape(rows, height, width, size), (shift, shift), (1, 2))
        return self.last(x.mean((1, 2)))


class TextCNN(nn.Module):
    """Embeddings, convolutions of several widths, the maximum over time."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 12)
        self.convs = nn.ModuleList([nn.Conv1d(12, 8, width) for width in (2, 3, 4)])
        self.last = nn.Linear(24, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids).transpose(1, 2)
        return self.last(torch.cat([F.relu(layer(x)).amax(-1) for layer in self.convs], 1))


class Bert(nn.Module):
    """Embeddings of words and positions, blocks normalised after, a pooled first token."""

    def __init__(self, fused: bool = False) -> None:
        super().__init__()
        self.words, self.positions, self.norm = nn.Embedding(50, 16), nn.Embedding(32, 16), nn.LayerNorm(16)
        self.blocks = nn.Sequential(*[Block(16, 4, False, False, nn.GELU(), fused) for _ in range(2)])
        self.pool, self.last = nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        places = torch.arange(ids.shape[1]).unsqueeze(0)
        x = self.blocks(self.norm(self.words(ids) + self.positions(places)))
        return self.last(torch.tanh(self.pool(x[:, 0])))


class Gpt(nn.Module):
    """Causal blocks normalised before; answers the next word's scores."""

    def __init__(self, fused: bool = False) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(50, 16), nn.Embedding(32, 16)
        self.blocks = nn.Sequential(*[Block(16, 4, True, True, nn.GELU("tanh"), fused) for _ in range(2)])
        self.norm = nn.LayerNorm(16)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.norm(self.blocks(x))[:, -1] @ self.words.weight.T


class Llama(nn.Module):
    """Rotary positions, root-mean-square normalisation, a gated feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.packed, self.out = nn.Embedding(50, 16), nn.Linear(16, 48, bias=False), nn.Linear(16, 16, bias=False)
        self.gate, self.up, self.down = (
            nn.Linear(16, 32, bias=False),
            nn.Linear(16, 32, bias=False),
            nn.Linear(32, 16, bias=False),
        )
        self.scale, self.last = nn.Parameter(torch.rand(16) + 0.5), nn.Linear(16, 3)

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale

    def turned(self, x: torch.Tensor) -> torch.Tensor:
        angles = torch.arange(x.shape[2]).float()[:, None] * torch.tensor([1.0, 0.1])
        cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
        one, two = x.chunk(2, -1)
        return x * cos + torch.cat([-two, one], -1) * sin

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids)
        rows, time, size = x.shape
        q, k, v = self.packed(self.norm(x)).view(rows, time, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        later = torch.full((time, time), float("-inf")).triu(1)
        weights = (self.turned(q) @ self.turned(k).transpose(-2, -1) / 2 + later).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(rows, time, size))
        y = self.norm(x)
        return self.last((x + self.down(F.silu(self.gate(y)) * self.up(y)))[:, -1])


class TwoTowers(nn.Module):
    """Two inputs, one score: the cosine of their embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.picture = (
            nn.Linear(5, 8),
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 8)),
        )

    def forward(self, table: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        one, two = F.normalize(self.table(table), dim=-1), F.normalize(self.picture(picture), dim=-1)
        return (one * two).sum(-1, keepdim=True)


class Indexed(nn.Module):
    """Sorting, picking, masks, cumulative sums: what is between the layers of real models."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top = x.topk(3, -1).values
        masked = x.masked_fill(x < 0, 0.0).cumsum(-1)
        picked = x[:, [0, 3, 3, 1]] * x[:, :4].flip(-1)
        spread = torch.where(x > 0.5, x.clamp(max=2), x.abs().sqrt())
        return torch.cat([top, masked[:, -2:], picked, spread.std(-1, keepdim=True), x.logsumexp(-1, keepdim=True)], -1)
