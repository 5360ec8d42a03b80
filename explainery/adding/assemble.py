"""From given files to a version's folder: the model, its card (given, or drafted), and the arrays that the card names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from explainery.adding.draft import Draft
from explainery.adding.infer import drafted, format_of
from explainery.adding.place import CARD
from explainery.adding.text_inputs import as_texts
from explainery.contract.errors import CardInvalid, ModelRefused
from explainery.contract.model_card import ModelCard, parse_card

BESIDE = (".npz", ".npy", ".json")
"""Arrays and tokenizers: what a card may name beside the model."""


@dataclass(frozen=True)
class Assembled:
    """Files to write, card.toml among them. `left`: what to fill in; `card`: None while the card cannot be used."""

    files: Mapping[str, bytes]
    card: ModelCard | None
    left: tuple[str, ...]


def assemble(
    name: str,
    given: Mapping[str, bytes],
    *,
    factory: str | None = None,
    source: str = "",
    labels: Sequence[str] = (),
    schema: Callable[[Draft], None] | None = None,
) -> Assembled:
    """Put a version together. `given`: one model file; a card.toml or none; arrays. Raises ModelRefused.

    `schema` writes what the source itself says of inputs and outputs into the draft.
    """
    models = [file for file in given if file != CARD and PurePosixPath(file).suffix.lower() not in BESIDE]
    if len(models) != 1:
        raise ModelRefused(
            f"Give one model file, and beside it a {CARD}, a sample.npz, baselines (.npy), a tokenizer.json: not {len(models)}."
        )
    if CARD in given:
        return _with_card(given, models[0])
    draft = drafted(name, models[0], given[models[0]], factory, labels)
    draft.source = source
    if schema is not None:
        schema(draft)
        known = [what for what, tables in (("inputs:", draft.inputs), ("outputs:", draft.outputs)) if tables]
        draft.left = [each for each in draft.left if not each.startswith(tuple(known))]
    tokenizers = [file for file in given if file.lower().endswith(".json")]
    if tokenizers:
        as_texts(draft, tokenizers[0])
    samples = [file for file in given if file.lower().endswith(".npz")]
    if samples:
        draft.tables["sample"] = {"file": samples[0]}
    else:
        draft.left.append("sample: an .npz file with an array per input checks the model, and gives the baseline mean its rows")
    return Assembled({**given, CARD: draft.text().encode()}, draft.card(), tuple(draft.left))


def _with_card(given: Mapping[str, bytes], model: str) -> Assembled:
    try:
        card = parse_card(given[CARD].decode("utf-8"))
    except CardInvalid as error:
        raise ModelRefused(error.detail, error.errors) from None
    except UnicodeDecodeError:
        raise ModelRefused(f"{CARD} is not UTF-8 text.") from None
    missing = sorted(set(card.files()) - set(given))
    if missing:
        raise ModelRefused(f"The card names {', '.join(missing)}, which is not among the files; give it too.")
    if card.file != model:
        raise ModelRefused(f"The card's file is not {model}; let it name the model file that is given.")
    if card.format != "torchscript" and card.format != format_of(model):
        raise ModelRefused(f"The card says format {card.format}, but the model file is called {model}.")
    return Assembled(given, card, ())
