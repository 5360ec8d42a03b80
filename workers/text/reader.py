"""Strings and ids -> passages, by the `tokenizer.json` that a card names: read offline, from its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError, InputUndecodable, ModelUnloadable
from explainery.contract.model_card import InputSpec, ModelCard
from workers.text.passage import Passage

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST_TOKENS = 4096
"""Where neither the card nor the tokenizer says how long a text may be."""
MASKS = ("[MASK]", "<mask>")
PADS = ("[PAD]", "<pad>")


def readers_of(card: ModelCard, files: Mapping[str, bytes]) -> dict[str, Reader]:
    """A reader for each text input by name. Raises ModelUnloadable where a tokenizer cannot be used."""
    return {spec.name: Reader(spec, _opened(files[spec.tokenizer])) for spec in card.inputs if spec.tokenizer is not None}


def _opened(content: bytes) -> Tokenizer:
    from tokenizers import Tokenizer  # cards without texts do without the library

    try:
        return Tokenizer.from_buffer(content)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the library is Rust, whose panics are no Exception
        raise ModelUnloadable(
            f"The tokenizer file cannot be read ({type(error).__name__}); save it with the library tokenizers (tokenizer.json)."
        ) from None


class Reader:
    """Reads the rows of one text input. `absent`: the id of what stands where a token is hidden; `vocabulary`: how many ids."""

    def __init__(self, spec: InputSpec, tokenizer: Tokenizer) -> None:
        self._spec = spec
        self._tokenizer = tokenizer
        cutting, padding = tokenizer.truncation or {}, tokenizer.padding or {}
        known = tokenizer.id_to_token(padding["pad_id"]) if "pad_id" in padding else None
        self._pad = self._token_id(spec.pad_token, *PADS, *([known] if known else []))
        mask = self._token_id(spec.mask_token, *MASKS)
        absent = self._pad if mask is None else mask
        if absent is None:
            raise self._unfit("has neither a mask nor a padding token; name a token that says little as mask_token in the card")
        self.absent = absent
        self._left = padding.get("direction") == "left"
        self._length = spec.row_elements
        if self._length is not None and self._pad is None:
            raise self._unfit(f"has no padding token to fill {self._length} tokens with; name one as pad_token in the card")
        self._most = min(spec.max_tokens or MOST_TOKENS, self._length or MOST_TOKENS, cutting.get("max_length", MOST_TOKENS))
        if self._most <= tokenizer.num_special_tokens_to_add(is_pair=False):
            raise self._unfit(f"adds so many special tokens that none of {self._most} is left for the text; raise max_tokens")
        tokenizer.enable_truncation(self._most, direction=cutting.get("direction", "right"))
        tokenizer.no_padding()
        self.vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
        unknown = getattr(tokenizer.model, "unk_token", None)
        added = tokenizer.get_added_tokens_decoder()
        self._special = [number for number, token in added.items() if token.special and token.content != unknown]

    def text(self, text: str) -> Passage:
        """Read a string. Raises InputUndecodable where nothing in it could play."""
        try:
            found = self._tokenizer.encode(text)
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # see _opened; what it says may quote the text
            raise InputUndecodable(
                f"A text for input {self._spec.name} cannot be tokenized ({type(error).__name__})."
            ) from None
        special = np.array(found.special_tokens_mask, dtype=bool)
        words = np.array([-1 if word is None else word for word in found.word_ids], dtype=np.int64)
        note = f"The text was cut: only {self._most} tokens of it were read, and nothing is said of the rest."
        passage = Passage(
            ids=np.array(found.ids, dtype=np.int64),
            mask=np.ones(len(special), dtype=np.int64),
            types=np.array(found.type_ids, dtype=np.int64),
            plays=~special,
            pieces=tuple(found.tokens),
            text=text,
            offsets=np.array(found.offsets, dtype=np.int64).reshape(-1, 2),
            words=words,
            notes=(note,) if found.overflowing else (),
        )
        return self._filled_up(self._played(passage))

    def ids(self, ids: NDArray[Any]) -> Passage:
        """Take a row of ids, [tokens]. Raises InputUndecodable where the tokenizer does not have them."""
        self.check_known(ids, InputUndecodable, f"Input {self._spec.name}")
        if len(ids) > self._most:
            raise InputUndecodable(
                f"Input {self._spec.name} takes {self._most} tokens at most; send fewer ids, or a string, which is cut."
            )
        whole = ids.astype(np.int64)
        padding = np.zeros(len(ids), dtype=bool) if self._pad is None else whole == self._pad
        passage = Passage(
            ids=whole,
            mask=(~padding).astype(np.int64),
            types=np.zeros(len(ids), dtype=np.int64),
            plays=~(padding | np.isin(whole, self._special)),
            pieces=tuple(self._shown(int(each)) for each in whole),
        )
        return self._played(passage)

    def check_known(self, ids: NDArray[Any], error: type[ExplaineryError], what: str) -> None:
        """Raise `error` where the tokenizer does not have the ids: on a GPU, others would take the worker down."""
        if ids.min() < 0 or ids.max() >= self.vocabulary:
            raise error(f"{what} holds ids that the tokenizer does not have; they are 0 to {self.vocabulary - 1}.")

    def _played(self, passage: Passage) -> Passage:
        if not passage.plays.any():
            raise InputUndecodable(f"A text for input {self._spec.name} has no token but special ones; send words.")
        return passage

    def _filled_up(self, passage: Passage) -> Passage:
        """The passage with padding up to the length that the model takes."""
        missing = (self._length or 0) - len(passage.ids)
        if missing <= 0 or self._pad is None or passage.offsets is None or passage.words is None:
            return passage
        sides = (missing, 0) if self._left else (0, missing)
        pad = self._shown(self._pad)
        return Passage(
            ids=np.pad(passage.ids, sides, constant_values=self._pad),
            mask=np.pad(passage.mask, sides),
            types=np.pad(passage.types, sides),
            plays=np.pad(passage.plays, sides),
            pieces=(pad,) * sides[0] + passage.pieces + (pad,) * sides[1],
            text=passage.text,
            offsets=np.pad(passage.offsets, (sides, (0, 0))),
            words=np.pad(passage.words, sides, constant_values=-1),
            notes=passage.notes,
        )

    def _shown(self, number: int) -> str:
        """A token as people read it."""
        decoded: str = self._tokenizer.decode([number], skip_special_tokens=False).strip()
        return decoded or str(self._tokenizer.id_to_token(number))

    def _token_id(self, named: str | None, *usual: str) -> int | None:
        """The id of the card's token, or of the first usual one that the vocabulary has."""
        if named is not None and self._tokenizer.token_to_id(named) is None:
            raise self._unfit(f"has no token {named!r}, which the card names")
        found = (self._tokenizer.token_to_id(token) for token in ((named,) if named is not None else usual))
        return next((number for number in found if number is not None), None)

    def _unfit(self, what: str) -> ModelUnloadable:
        return ModelUnloadable(f"The tokenizer of input {self._spec.name} {what}.")
