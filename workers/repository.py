"""The model repository: `<name>/<version>/card.toml` and its files, in a folder or under any fsspec URL.

A model's digest is the SHA-256 over its card and every file the card names. Hashing a file again is avoided while its
size and time of change stay the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from explainery.contract.errors import CardInvalid, ModelChanged
from explainery.contract.model_card import ModelCard, is_model_name, parse_card

CARD = "card.toml"
MOST_CARD_BYTES = 1 << 20
Signature = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Found:
    """One version found in the repository: its card and digest, or the fault that makes it unusable."""

    name: str
    version: int
    digest: str
    card: ModelCard | None
    fault: str | None = None


class Repository:
    """Reads a model repository; never writes. No file is opened that is too large, or lies elsewhere by a link."""

    def __init__(self, url: str, most_bytes: int = 1 << 62) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._local = "file" in self._fs.protocol
        self._most_bytes = most_bytes
        self._seen: dict[tuple[str, int], tuple[Signature, Found]] = {}

    def scan(self) -> list[Found]:
        """Every version of every model, sorted; broken ones carry their fault."""
        self._fs.invalidate_cache()
        versions = [
            (name, int(version))
            for name in self._folders(self._root)
            if is_model_name(name)
            for version in self._folders(f"{self._root}/{name}")
            if version.isdecimal() and str(int(version)) == version
        ]
        return [self.find(name, version) for name, version in sorted(versions)]

    def find(self, name: str, version: int) -> Found:
        """What the repository holds now under that name and version."""
        folder = f"{self._root}/{name}/{version}"
        before = self._seen.get((name, version))
        if before is not None and self._signature(folder, [file for file, _ in before[0]]) == before[0]:
            return before[1]
        signature, found = self._read(name, version, folder)
        if signature:
            self._seen[name, version] = (signature, found)
        return found

    def files(self, name: str, version: int, digest: str) -> tuple[ModelCard, dict[str, bytes]]:
        """The card and the files' bytes, exactly those that `digest` names. Raises ModelChanged when they are others."""
        folder = f"{self._root}/{name}/{version}"
        try:
            text = self._card(folder)
            card = parse_card(text.decode("utf-8"))
            files = self._contents(folder, card)
        except (OSError, CardInvalid, UnicodeDecodeError):
            raise changed(name, version) from None
        if files[CARD] != text or _digest(files) != digest:
            raise changed(name, version)
        return card, files

    def _folders(self, path: str) -> list[str]:
        try:
            entries = self._fs.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []
        folders = (entry["name"].rstrip("/") for entry in entries if self._is_folder(entry))
        return [folder.rpartition("/")[2] for folder in folders]

    def _is_folder(self, entry: Mapping[str, Any]) -> bool:
        """A folder, or a link to one (how Kubernetes mounts volumes)."""
        return entry["type"] == "directory" or (bool(entry.get("islink")) and bool(self._fs.isdir(entry["name"])))

    def _card(self, folder: str) -> bytes:
        """The card's bytes. Raises OSError when it is no file of a sensible size in its folder."""
        path = f"{folder}/{CARD}"
        if not self._fs.isfile(path) or self._fs.size(path) > MOST_CARD_BYTES or self._leads_out(folder, CARD):
            raise FileNotFoundError(path)
        return bytes(self._fs.cat_file(path))

    def _outside(self, folder: str, card: ModelCard) -> str | None:
        outside = [file for file in card.files() if self._leads_out(folder, file)]
        return (
            f"{', '.join(outside)} is a link that leads out of the model's folder; put the file itself there"
            if outside
            else None
        )

    def _leads_out(self, folder: str, file: str) -> bool:
        """Whether a link leads out of the folder (which may itself be a link, as Kubernetes mounts volumes)."""
        return self._local and not Path(folder, file).resolve().is_relative_to(Path(folder).resolve())

    def _too_large(self, folder: str, card: ModelCard) -> str | None:
        size = sum(self._fs.size(f"{folder}/{file}") or 0 for file in dict.fromkeys(card.files()))
        if size <= self._most_bytes:
            return None
        return f"its files have {size} bytes, more than the {self._most_bytes} of EXPLAINERY_MAX_MODEL_BYTES"

    def _contents(self, folder: str, card: ModelCard) -> dict[str, bytes]:
        """The bytes of the card and of every file it names. Raises OSError."""
        whole = all(self._fs.isfile(f"{folder}/{file}") for file in card.files())  # a pipe would be waited for
        if not whole or self._outside(folder, card) or self._too_large(folder, card):
            raise PermissionError(folder)
        return {file: self._fs.cat_file(f"{folder}/{file}") for file in dict.fromkeys((CARD, *card.files()))}

    def _signature(self, folder: str, names: Iterable[str]) -> Signature:
        """What changes when a file changes: size, time, and the store's own tag where it has one."""
        try:
            infos = [(name, self._fs.info(f"{folder}/{name}")) for name in names]
        except OSError:
            return ()
        marks = ("size", "mtime", "ino", "LastModified", "etag", "ETag", "created")
        return tuple((name, tuple(str(info.get(mark)) for mark in marks)) for name, info in infos)

    def _read(self, name: str, version: int, folder: str) -> tuple[Signature, Found]:
        """What is there, and its signature from before it was read: a change meanwhile outdates the signature, not the digest.

        The signature is empty where reading again may give something else.
        """

        def broken(fault: str, files: Mapping[str, bytes]) -> tuple[Signature, Found]:
            return (), Found(name, version, _digest(files), None, f"{name}/{version}{fault}")

        try:
            text = self._card(folder)
        except OSError:
            return broken(f" has no readable {CARD}", {})
        try:
            card = parse_card(text.decode("utf-8"))
        except (CardInvalid, UnicodeDecodeError) as error:
            return broken(f"/{CARD}: {error}", {CARD: text})
        missing = [file for file in card.files() if not self._fs.isfile(f"{folder}/{file}")]
        if missing:
            return broken(f": the card names {', '.join(missing)}, which is not in its folder", {CARD: text})
        if fault := self._outside(folder, card) or self._too_large(folder, card):
            return broken(f": {fault}", {CARD: text})
        signature = self._signature(folder, dict.fromkeys((CARD, *card.files())))
        try:
            files = self._contents(folder, card)
        except OSError:
            return broken(": a file that the card names cannot be read", {CARD: text})
        return (signature if files[CARD] == text else ()), Found(name, version, _digest(files), card)


def changed(name: str, version: int | str) -> ModelChanged:
    """The error for a model whose files are not those a job was admitted against."""
    return ModelChanged(
        f"The files of {name}@{version} changed after this job was accepted; submit it again to explain the new ones."
    )


def _digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names, sizes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{len(name)}:{name}:{len(files[name])}:".encode())
        digest.update(files[name])
    return f"sha256:{digest.hexdigest()}"
