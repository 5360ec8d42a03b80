"""What is wrong with the model folders of a repository, without loading a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import CardInvalid
from explainery.contract.model_card import InputSpec, ModelCard, is_model_name, parse_card

if TYPE_CHECKING:
    from numpy.typing import NDArray

CARD = "card.toml"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and the place: a path in the card (`inputs.0.shape`) or a file's name."""

    loc: str
    msg: str


def check(folder: Path) -> dict[Path, list[Fault]]:
    """Every version folder under `folder` (a repository, a model or a version), with its faults.

    A folder without any card is itself the fault.
    """
    versions = sorted({path.parent for depth in ("", "*/", "*/*/") for path in folder.glob(depth + CARD)})
    report = {version: check_version(version) for version in versions}
    for place, faults in _misplaced(folder, versions):
        report.setdefault(place, []).extend(faults)
    return report


def check_version(folder: Path) -> list[Fault]:
    """The faults of one version folder."""
    faults = list(_name_faults(folder.resolve()))
    try:
        card = parse_card((folder / CARD).read_text(encoding="utf-8"))
    except CardInvalid as error:
        return faults + _innermost(error.errors)
    except (OSError, UnicodeDecodeError):
        return [*faults, Fault(CARD, "cannot be read as UTF-8 text")]
    missing = [name for name in card.files() if not (folder / name).is_file()]
    faults += [Fault(name, "the card names this file, but it is not in the folder") for name in missing]
    faults += _sample_faults(folder, card, missing)
    faults += _tokenizer_faults(folder, card, missing)
    return faults + list(_baseline_faults(folder, card, missing))


def _innermost(errors: list[dict[str, str]]) -> list[Fault]:
    """Leave out what only follows from a fault further in: a list that misses the entry that was wrong."""
    places = [error["loc"] for error in errors]
    return [
        Fault(error["loc"], error["msg"])
        for error in errors
        if not any(place.startswith(f"{error['loc']}.") for place in places)
    ]


def _name_faults(folder: Path) -> Iterator[Fault]:
    if not folder.name.isdecimal() or str(int(folder.name)) != folder.name:
        yield Fault(folder.name, "a version folder is named by a whole number: <model>/<version>/card.toml")
    if not is_model_name(folder.parent.name):
        yield Fault(folder.parent.name, "a model's name has letters, digits, '.', '_' and '-' only")


def _misplaced(folder: Path, versions: list[Path]) -> Iterator[tuple[Path, list[Fault]]]:
    """Folders that look like versions and have no card."""
    if not versions:
        yield folder, [Fault(CARD, "there is none here; expected <model>/<version>/card.toml")]
    models = {version.parent for version in versions if version != folder}
    for sibling in sorted(place for model in models for place in model.iterdir()):
        if sibling.is_dir() and sibling.name.isdecimal() and sibling not in versions:
            yield sibling, [Fault(CARD, "this version folder has none")]


def _sample_faults(folder: Path, card: ModelCard, missing: list[str]) -> list[Fault]:
    if card.sample is None or card.sample.file in missing:
        return []
    name = card.sample.file
    arrays = _load(folder / name)
    if not isinstance(arrays, dict):
        return [Fault(name, "is not a readable .npz archive of plain arrays")]
    faults = [Fault(name, f"has no array called {spec.name}") for spec in card.inputs if spec.name not in arrays]
    known = {spec.name for spec in card.inputs}
    faults += [Fault(name, f"has an array {extra}, which is no input") for extra in sorted(set(arrays) - known)]
    for spec in card.inputs:
        if spec.name in arrays and not fits(arrays[spec.name].shape, spec.shape):
            faults.append(
                Fault(name, f"{spec.name} has shape {list(arrays[spec.name].shape)}, the card says {list(spec.shape)}")
            )
    rows = {arrays[spec.name].shape[0] for spec in card.inputs if spec.name in arrays and arrays[spec.name].ndim}
    return faults + ([Fault(name, "its arrays differ in their number of rows")] if len(rows) > 1 else [])


def _tokenizer_faults(folder: Path, card: ModelCard, missing: list[str]) -> Iterator[Fault]:
    """What can be seen without the library; the rest shows when a worker tries the model."""
    for index, spec in enumerate(card.inputs):
        if spec.tokenizer is None or spec.tokenizer in missing:
            continue
        found = _json(folder / spec.tokenizer)
        if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
            yield Fault(spec.tokenizer, "is no tokenizer.json of the library tokenizers: JSON with a model")
            continue
        known = _vocabulary(found)
        for key, token in (("mask_token", spec.mask_token), ("pad_token", spec.pad_token)):
            if known and token is not None and token not in known:
                yield Fault(f"inputs.{index}.{key}", f"{token!r} is not in the vocabulary of {spec.tokenizer}")


def _vocabulary(tokenizer: dict[str, Any]) -> set[str]:
    """Its tokens; empty where the file does not list them in a way that is known here."""
    added = {str(token.get("content")) for token in tokenizer.get("added_tokens") or () if isinstance(token, dict)}
    model = tokenizer["model"].get("vocab")
    if isinstance(model, dict):
        return added | set(model)
    if isinstance(model, list):  # Unigram: pairs of a token and its weight
        return added | {str(pair[0]) for pair in model if isinstance(pair, list) and pair}
    return set()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _baseline_faults(folder: Path, card: ModelCard, missing: list[str]) -> Iterator[Fault]:
    for input_name, name in card.baseline.items():
        if not isinstance(name, str) or name in missing:
            continue
        array = _load(folder / name)
        if array is None or isinstance(array, dict):
            yield Fault(name, "is not a readable .npy file of plain numbers")
        elif not _is_row(array.shape, card.input(input_name)):
            wanted = list(card.input(input_name).row_shape)
            yield Fault(name, f"has shape {list(array.shape)}; one row of {input_name} has {wanted}")


def _is_row(shape: tuple[int, ...], spec: InputSpec) -> bool:
    return fits(shape, spec.row_shape) or (shape[:1] == (1,) and fits(shape, spec.shape))


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a shape is what the card says, where -1 is any length."""
    return len(shape) == len(wanted) and all(want in (-1, size) for size, want in zip(shape, wanted, strict=True))


def _load(path: Path) -> NDArray[Any] | dict[str, NDArray[Any]] | None:
    """An .npy or .npz file; None when it cannot be read or holds objects."""
    import zipfile

    import numpy as np

    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
