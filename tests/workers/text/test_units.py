"""Passages are cut into tokens, words, sentences, or groups of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import texts
from texts import reader, spec
from tokenizers import Tokenizer, models, pre_tokenizers

from explainery.contract.errors import InvalidParameter
from workers.text.units import Units, cut

TEXT = "The unreal film!  Playing was dull. Superb music"
INPUT = spec("text", "INT64")


def units(features: Any = None, text: str = TEXT, **more: Any) -> Units:
    return cut(INPUT, reader(**more).text(text), features)


def whole(made: Units, text: str = TEXT) -> None:
    """Numbered through in reading order, and every piece is where it says."""
    playing = made.of_token[made.of_token >= 0]
    assert np.array_equal(np.unique(playing), np.arange(len(made.names)))
    assert (np.diff(playing) >= 0).all()
    assert made.offsets is not None
    assert [text[start:end] for start, end in made.offsets] == list(made.names)


def test_words_are_what_plays() -> None:
    made = units()
    whole(made)
    assert made.names == ("The", "unreal", "film", "!", "Playing", "was", "dull", ".", "Superb", "music")
    assert units("words").names == units({"text": "words"}).names == made.names


def test_tokens() -> None:
    made = units("tokens")
    whole(made)
    assert made.names[1:3] == ("un", "real")
    assert units("elements").names == units({"text": "tokens"}).names == made.names


def test_sentences() -> None:
    made = units("sentences")
    whole(made)
    assert made.names == ("The unreal film!", "Playing was dull.", "Superb music")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ('She said "dull." Then music', ('She said "dull."', "Then music")),
        ("one\n\ntwo lines\nthree", ("one", "two lines", "three")),
        ("v1.2 is a film", ("v1.2 is a film",)),
        ("映画。音楽！film", ("映画。", "音楽！", "film")),  # noqa: RUF001  full-width signs end sentences
    ],
)
def test_where_sentences_end(text: str, sentences: tuple[str, ...]) -> None:
    made = units("sentences", text)
    whole(made, text)
    assert made.names == sentences


def test_padding_and_special_tokens_belong_to_no_unit() -> None:
    for features in ("tokens", "words", "sentences"):
        made = units(features, length=32)
        assert made.of_token[0] == -1
        assert (made.of_token[18:] == -1).all()
        assert made.names == units(features).names


def test_a_tokenizer_that_makes_no_words_leaves_them_to_the_blanks() -> None:
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("b", -1.0), (" ", -1.0), ("<mask>", 0.0)], unk_id=0))
    made = units(None, "ab ba  b", content=tokenizer.to_str().encode())
    assert made.names == ("ab", "ba", "b")
    assert units("tokens", "ab", content=tokenizer.to_str().encode()).names == ("a", "b")


def test_bytes_of_one_character_are_one_word() -> None:
    alphabet = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab={**alphabet, "<mask>": 256}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made = units(None, "ab 🎬 é", content=tokenizer.to_str().encode())
    assert made.names == ("ab", "🎬", "é")
    assert made.offsets == ((0, 2), (3, 4), (5, 6))


def test_ids_play_as_tokens() -> None:
    passage = reader().ids(reader().text(TEXT).ids)
    made = cut(INPUT, passage, None)
    assert made.names == passage.pieces[1:-1]
    assert made.offsets is None
    for features in ("words", "sentences"):
        with pytest.raises(InvalidParameter, match="needs the text of input x as a string"):
            cut(INPUT, passage, features)


def test_labels_group_tokens_in_any_way() -> None:
    tokens = len(reader().text("dull film , superb film").ids)
    made = cut(INPUT, reader().text("dull film , superb film"), {"labels": [9, 5, 7, 5, 7, 7, 9]})
    assert tokens == 7
    assert made.of_token.tolist() == [-1, 0, 1, 0, 1, 1, -1]
    assert made.names == ("dull ,", "film superb film")
    assert made.offsets is None


@pytest.mark.parametrize("labels", [[1, 2], [[1] * 4], "ab", None, [1.5] * 4, {"other": [1] * 4}, [[1], [1, 2]]])
def test_labels_that_do_not_fit_are_refused(labels: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"features.labels .*: here 4\.$"):
        cut(INPUT, reader().text("dull film"), {"labels": labels})


@pytest.mark.parametrize("features", [{"grid": 2}, {"window": 3}, {"groups": {"a": ["b"]}}])
def test_other_forms_are_refused(features: Any) -> None:
    with pytest.raises(InvalidParameter, match='"tokens", "words", "sentences"'):
        units(features)


def test_what_units_have_is_spread_over_their_tokens() -> None:
    made = units(None, "unreal film")
    assert made.of_token.tolist() == [-1, 0, 0, 1, -1]
    assert made.spread(np.array([4, 9])).tolist() == [-1, 4, 4, 9, -1]


def test_vocabulary_of_the_tests_has_its_words_once() -> None:
    assert len(set(texts.VOCABULARY)) == len(texts.VOCABULARY)
