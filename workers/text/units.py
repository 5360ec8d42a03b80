"""A passage cut into what plays: its tokens, words or sentences, or groups of tokens that a client labels."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidParameter
from explainery.contract.feature_groups import text_unit
from explainery.contract.model_card import InputSpec
from workers.text.passage import Ints, Passage

Span = tuple[int, int]
BLANK = re.compile(r"\s+")
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])[”’」』）]*|\n+")  # noqa: RUF001  full-width signs end sentences


@dataclass(frozen=True, eq=False)
class Units:
    """The cut of one row. `of_token`: the unit of each token, int64 [tokens], -1 where it never plays.

    `names`: each unit as it is written. `offsets`: where it begins and ends in the string, None where there is no string.
    """

    of_token: Ints
    names: tuple[str, ...]
    offsets: tuple[Span, ...] | None

    def spread(self, of_unit: Ints) -> Ints:
        """What each unit has, given to its tokens; -1 to those that never play."""
        return np.where(self.of_token < 0, -1, of_unit[self.of_token])

    def summed(self, of_token: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each token has, summed over the tokens of each unit; what never plays is left out."""
        plays = self.of_token >= 0
        return np.bincount(self.of_token[plays], of_token[plays], len(self.names)).astype(np.float64)


def cut(spec: InputSpec, passage: Passage, features: Any) -> Units:
    """Cut a passage as `features` says: into words where it says nothing, into tokens where there is no string.

    Raises InvalidParameter where `features` does not fit.
    """
    if isinstance(features, Mapping) and "labels" in features:
        return _labelled(spec, passage, features["labels"])
    unit = "tokens" if features == "elements" else text_unit(features)
    if features is not None and unit is None:
        raise InvalidParameter(
            f'Input {spec.name} is a text: features may be "tokens", "words", "sentences" or {{"labels": ...}}.'
        )
    if passage.text is None:
        if unit in ("words", "sentences"):
            raise InvalidParameter(f'features: "{unit}" needs the text of input {spec.name} as a string, not as ids.')
        unit = "tokens"
    if unit == "tokens":
        return _united(passage, np.arange(len(passage.ids)))
    return _united(passage, _sentences(passage) if unit == "sentences" else _words(passage))


def _words(passage: Passage) -> Ints:
    """The tokenizer's own words; those between blanks where it makes none."""
    words = passage.words
    if words is None or passage.text is None:
        raise TypeError("words need a text")
    playing = words[passage.plays]
    if len(playing) > 1 and (playing == playing[0]).all():
        return _pieces_between(passage, BLANK)
    alone = np.arange(len(words)) + 1 + int(words.max())  # a token without a word is one
    return np.where(words < 0, alone, words)


def _sentences(passage: Passage) -> Ints:
    return _pieces_between(passage, SENTENCE_END)


def _pieces_between(passage: Passage, border: re.Pattern[str]) -> Ints:
    """The number of the piece that each token begins in, where `border` separates pieces."""
    if passage.offsets is None or passage.text is None:
        raise TypeError("pieces need a text")
    borders = [match.end() for match in border.finditer(passage.text)]
    starts = [_trimmed(passage.text, (int(start), int(end)))[0] for start, end in passage.offsets]
    return np.array([bisect_right(borders, start) for start in starts], dtype=np.int64)


def _united(passage: Passage, pieces: Ints) -> Units:
    """Units from a number per token, in any numbering; they are numbered in the order of their first tokens."""
    of_token = np.full(len(pieces), -1, dtype=np.int64)
    playing = np.flatnonzero(passage.plays)
    _, first, dense = np.unique(pieces[playing], return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    of_token[playing] = order[dense]
    members = [np.flatnonzero(of_token == unit) for unit in range(len(first))]
    shown = tuple(" ".join(passage.pieces[token] for token in tokens) for tokens in members)
    text, offsets = passage.text, passage.offsets
    if text is None or offsets is None:
        return Units(of_token, shown, None)
    spans = tuple(_trimmed(text, _hull((int(start), int(end)) for start, end in offsets[tokens])) for tokens in members)
    names = tuple(text[start:end] or name for (start, end), name in zip(spans, shown, strict=True))
    return Units(of_token, names, spans)


def _hull(spans: Iterable[Span]) -> Span:
    """From the first beginning to the last end; tokens that stand for nothing in the string do not count."""
    spans = list(spans)
    some = [(start, end) for start, end in spans if end > start] or spans
    return min(start for start, _ in some), max(end for _, end in some)


def _trimmed(text: str, span: Span) -> Span:
    """A span without the blanks at its ends; as it is where there are only blanks."""
    piece = text[span[0] : span[1]]
    if not piece.strip():
        return span
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip())


def _labelled(spec: InputSpec, passage: Passage, labels: Any) -> Units:
    """Groups by a label per token, special ones and padding included, whose labels do not count."""
    given = labels.get(spec.name) if isinstance(labels, Mapping) else labels
    try:
        array = np.array(given)
    except ValueError:
        array = np.array(None)
    if array.shape != passage.ids.shape or array.dtype.kind != "i":
        raise InvalidParameter(
            f"features.labels for input {spec.name} must be a whole number for each of a row's tokens, special ones too: "
            f"here {len(passage.ids)}."
        )
    made = _united(passage, array.astype(np.int64))
    return Units(made.of_token, _joined(passage, made.of_token), None)


def _joined(passage: Passage, of_token: Ints) -> tuple[str, ...]:
    """Groups may have gaps: they are named by their tokens."""
    alone = _united(passage, np.arange(len(passage.ids)))
    name_of = dict(zip(np.flatnonzero(passage.plays), alone.names, strict=True))
    return tuple(
        " ".join(name_of[token] for token in np.flatnonzero(of_token == unit)) for unit in range(int(of_token.max()) + 1)
    )
