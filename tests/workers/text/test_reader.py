"""Strings and ids become passages: what plays, what does not, and what cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import texts
from texts import reader, spec

from explainery.contract.errors import InputUndecodable, ModelUnloadable

CLS, SEP, PAD, MASK = (texts.VOCABULARY.index(token) for token in ("[CLS]", "[SEP]", "[PAD]", "[MASK]"))


def test_special_tokens_never_play() -> None:
    found = reader().text("The unreal film!")
    assert found.pieces == ("[CLS]", "the", "un", "##real", "film", "!", "[SEP]")
    assert found.plays.tolist() == [False, True, True, True, True, True, False]
    assert found.ids[[0, -1]].tolist() == [CLS, SEP]
    assert found.offsets is not None
    assert [found.text[start:end] for start, end in found.offsets[1:-1]] == ["The", "un", "real", "film", "!"]  # type: ignore[index]


def test_offsets_count_characters_not_bytes() -> None:
    found = reader().text("🎬 grün 映画 film")
    assert found.offsets is not None
    start, end = found.offsets[-2]
    assert "🎬 grün 映画 film"[start:end] == "film"


def test_a_special_token_that_the_client_writes_plays() -> None:
    found = reader().text("the [MASK] film")
    assert found.ids.tolist()[2] == MASK
    assert found.plays.tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("direction", ["left", "right"])
def test_a_fixed_length_is_filled_up_as_the_tokenizer_says(direction: str) -> None:
    found = reader(texts.tokenizer(padding={"direction": direction}), 6).text("dull film")
    padding = slice(0, 2) if direction == "left" else slice(4, 6)
    assert found.ids[padding].tolist() == [PAD, PAD]
    assert found.mask.tolist() == ([0, 0, 1, 1, 1, 1] if direction == "left" else [1, 1, 1, 1, 0, 0])
    assert found.plays.sum() == 2
    assert not found.plays[padding].any()
    assert len(found.pieces) == 6
    assert found.array(spec("text_mask", "FP32")).dtype == np.float32
    assert found.array(spec("text_types", "INT32")).tolist() == [0] * 6
    assert found.array(spec("text", "INT32")).dtype == np.int32


@pytest.mark.parametrize(
    ("more", "length"), [({"max_tokens": 5}, -1), ({}, 5), ({"max_tokens": 5}, 8), ({"content": {"max_length": 5}}, -1)]
)
def test_a_long_text_is_cut_with_a_note(more: dict[str, Any], length: int) -> None:
    cutting = more.pop("content", None)
    content = texts.tokenizer(truncation=cutting) if cutting else None
    found = reader(content, length, **more).text("the plot was very very dull")
    assert found.pieces[:5] == ("[CLS]", "the", "plot", "was", "[SEP]")
    assert found.notes == ("The text was cut: only 5 tokens of it were read, and nothing is said of the rest.",)
    assert reader(content, length, **more).text("the plot was").notes == ()


def test_ids_are_shown_by_the_tokenizer() -> None:
    ids = [CLS, *(texts.VOCABULARY.index(word) for word in ("un", "##real", "film")), SEP, PAD, PAD]
    found = reader().ids(np.array(ids))
    assert found.plays.tolist() == [False, True, True, True, False, False, False]
    assert found.mask.tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert found.pieces[1:4] == ("un", "##real", "film")
    assert found.text is found.offsets is None


def test_an_unknown_word_plays_in_both_forms() -> None:
    found = reader().text("zyx film")
    assert found.pieces[1] == "[UNK]"
    assert found.plays.tolist() == reader().ids(found.ids).plays.tolist() == [False, True, True, False]


@pytest.mark.parametrize("ids", [[-1, 7], [7, len(texts.VOCABULARY)], [2**40]])
def test_ids_beyond_the_vocabulary_are_refused(ids: list[int]) -> None:
    """A GPU would not survive them."""
    with pytest.raises(InputUndecodable, match=f"0 to {len(texts.VOCABULARY) - 1}"):
        reader().ids(np.array(ids))


def test_more_ids_than_the_model_takes_are_refused() -> None:
    with pytest.raises(InputUndecodable, match="4 tokens at most"):
        reader(max_tokens=4).ids(np.array([7] * 5))


@pytest.mark.parametrize("text", ["\u200b", "\x00"])
def test_a_text_of_which_nothing_is_left_is_refused(text: str) -> None:
    tokenizer = json.loads(texts.tokenizer())
    tokenizer["normalizer"] = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                               "strip_accents": None, "lowercase": True}  # fmt: skip
    with pytest.raises(InputUndecodable, match="no token but special ones") as refused:
        reader(json.dumps(tokenizer).encode()).text(text)
    assert text not in refused.value.detail
    with pytest.raises(InputUndecodable, match="no token but special ones"):
        reader().ids(np.array([CLS, SEP, PAD]))


# --- tokenizers


@pytest.mark.parametrize("content", [b"{}", b"", b"\xff\xfe", b"[]", b"null", b'{"model": 7}', b'{"version": "1.0"}'])
def test_what_is_no_tokenizer_makes_the_model_unusable(content: bytes) -> None:
    with pytest.raises(ModelUnloadable, match="save it with the library tokenizers"):
        reader(content)


def without(*tokens: str) -> bytes:
    """The tokenizer with tokens under other names."""
    content = texts.tokenizer().decode()
    for number, token in enumerate(tokens):
        content = content.replace(token, f"<x{number}>")
    return content.encode()


def test_the_mask_token_stands_for_what_is_absent_else_padding() -> None:
    assert reader().absent == MASK
    assert reader(without("[MASK]")).absent == PAD
    assert reader(without("[MASK]"), mask_token="dull").absent == texts.VOCABULARY.index("dull")  # noqa: S106  no password


def test_a_card_must_name_what_a_tokenizer_lacks() -> None:
    with pytest.raises(ModelUnloadable, match="name a token that says little as mask_token"):
        reader(without("[MASK]", "[PAD]"))
    with pytest.raises(ModelUnloadable, match="no padding token to fill 8 tokens with; name one as pad_token"):
        reader(without("[PAD]"), 8)
    with pytest.raises(ModelUnloadable, match="has no token '<hole>', which the card names"):
        reader(mask_token="<hole>")  # noqa: S106  no password
    with pytest.raises(ModelUnloadable, match="so many special tokens"):
        reader(max_tokens=2)


def test_no_hub_is_ever_asked() -> None:
    """The library declares a client of the hub, and imports it to download only."""
    program = "import sys, tokenizers; print([name for name in sys.modules if 'huggingface' in name or 'httpx' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
