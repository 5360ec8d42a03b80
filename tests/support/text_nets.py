"""A small BERT-shaped classifier, as a factory that a card may name."""

from __future__ import annotations

import torch
from torch import nn


def planted(vocabulary: int, width: int = 32, heads: int = 4, longest: int = 64) -> nn.Module:
    """ids [n, tokens], attention mask [n, tokens] -> logits [n, 2], read off the first token."""
    return _Classifier(vocabulary, width, heads, longest)


class _Classifier(nn.Module):
    def __init__(self, vocabulary: int, width: int, heads: int, longest: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(longest, width)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        logits: torch.Tensor = self.head(self.encoder(seen, src_key_padding_mask=mask == 0)[:, 0])
        return logits


def behind_embedding(vocabulary: int) -> nn.Module:
    """The same classifier as `planted` builds, asked for with vectors [n, tokens, width] in place of ids, all attended to."""
    return _Behind(vocabulary)


class _Behind(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.net = planted(vocabulary)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        net = self.net
        assert isinstance(net, _Classifier)
        seen = vectors + net.places(torch.arange(vectors.shape[1], device=vectors.device))
        logits: torch.Tensor = net.head(net.encoder(seen)[:, 0])
        return logits


def two_tables(vocabulary: int) -> nn.Module:
    """Ids looked up in two tables: which of them is the embedding cannot be told."""
    return _TwoTables(vocabulary)


class _TwoTables(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.first, self.second = nn.Embedding(vocabulary, 4), nn.Embedding(vocabulary, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head((self.first(ids) * self.second(ids)).mean(1))
        return logits
