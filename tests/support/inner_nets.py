"""Factories of the nets that are looked into: small, of the shapes that people use."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


def vgg(outputs: int = 5, width: int = 8) -> nn.Module:
    """Convolutions and ReLUs in a row, each a module of its own."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, width, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(width, 2 * width, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
            flat=nn.Flatten(), dense1=nn.Linear(2 * width * 16, 32), relu3=nn.ReLU(), dense2=nn.Linear(32, outputs),
        )
    )  # fmt: skip


class Block(nn.Module):
    """Two convolutions and the input itself; one ReLU, in place, called twice."""

    def __init__(self, width: int, *, reused: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=reused)
        self.relu2 = self.relu if reused else nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        inner = inner + x
        return self.relu2(inner)


def resnet(outputs: int = 5, width: int = 8, reused: bool = True) -> nn.Module:
    """Residual blocks; batch norms with statistics that are not their first ones."""
    net = nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(3, width, 3, padding=1), relu=nn.ReLU(), block1=Block(width, reused=reused),
            pool=nn.MaxPool2d(2), block2=Block(width, reused=reused), mean=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
            head=nn.Linear(width, outputs),
        )
    )  # fmt: skip
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.2, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.2, 0.2)
    return net


class States(nn.Module):
    """The states of a recurrent layer at every step, without its last ones."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


class Recurrent(nn.Module):
    """A recurrent layer over [time, channels], its mean state scored."""

    def __init__(self, kind: str, channels: int, width: int, outputs: int, both: bool) -> None:
        super().__init__()
        layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind]
        self.states = States(layer(channels, width, batch_first=True, bidirectional=both))
        self.head = nn.Linear(width * (2 if both else 1), outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.states(x).mean(1))


def recurrent(kind: str = "lstm", channels: int = 4, width: int = 12, outputs: int = 3, both: bool = False) -> nn.Module:
    return Recurrent(kind, channels, width, outputs, both)


class Encoder(nn.Module):
    """`nn.TransformerEncoder` over [tokens, width]; the first token is scored."""

    def __init__(self, width: int, heads: int, layers: int, outputs: int, batch_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=batch_first, dropout=0.1)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.batch_first = batch_first
        self.head = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.encoder(x if self.batch_first else x.transpose(0, 1))
        return self.head(tokens[:, 0] if self.batch_first else tokens[0])


def encoder(width: int = 8, heads: int = 2, layers: int = 2, outputs: int = 3, batch_first: bool = True) -> nn.Module:
    return Encoder(width, heads, layers, outputs, batch_first)


class SelfAttention(nn.Module):
    """As BERT has it: query, key and value apart; by a kernel, or in the open."""

    def __init__(self, width: int, heads: int, kernel: bool) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.heads, self.kernel = heads, kernel
        self.dropout = nn.Dropout(0.1)

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (self._split(part(x)) for part in (self.query, self.key, self.value))
        if self.kernel:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            weights = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
            mixed = torch.matmul(self.dropout(weights), v)
        return mixed.transpose(1, 2).flatten(2)


class BertLayer(nn.Module):
    def __init__(self, width: int, heads: int, kernel: bool) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, kernel)
        self.mix, self.norm1 = nn.Linear(width, width), nn.LayerNorm(width)
        self.inner, self.outer, self.norm2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.mix(self.attention(x)))
        return self.norm2(x + self.outer(nn.functional.gelu(self.inner(x))))


class Bert(nn.Module):
    """Tokens in, the first token's pooled state scored."""

    def __init__(self, words: int, width: int, heads: int, layers: int, outputs: int, kernel: bool) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(words, width), nn.Embedding(64, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList([BertLayer(width, heads, kernel) for _ in range(layers)])
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, outputs)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.embedding(ids) + self.position(places))
        for layer in self.layers:
            x = layer(x)
        return self.head(torch.tanh(self.pooler(x[:, 0])))


def bert(words: int = 30, width: int = 16, heads: int = 4, layers: int = 2, outputs: int = 3, kernel: bool = True) -> nn.Module:
    return Bert(words, width, heads, layers, outputs, kernel)


class Vit(nn.Module):
    """Patches of a picture, a class token before them if asked for."""

    def __init__(self, width: int, heads: int, layers: int, outputs: int, class_token: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.class_token = nn.Parameter(torch.randn(1, 1, width)) if class_token else None
        self.layers = nn.ModuleList([BertLayer(width, heads, kernel=True) for _ in range(layers)])
        self.head = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(x.shape[0], -1, -1), tokens], dim=1)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(tokens[:, 0] if self.class_token is not None else tokens.mean(1))


def vit(width: int = 16, heads: int = 4, layers: int = 2, outputs: int = 5, class_token: bool = True) -> nn.Module:
    return Vit(width, heads, layers, outputs, class_token)
