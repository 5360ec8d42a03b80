"""Puts a model into the repository as a new version. A version that is there is never touched."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from explainery.contract.errors import ModelRefused, VersionExists
from explainery.contract.model_card import is_model_name

CARD = "card.toml"


@dataclass(frozen=True)
class Placed:
    """Where a model went."""

    name: str
    version: int
    place: str


def put(url: str, name: str, version: int | None, files: Mapping[str, bytes]) -> Placed:
    """Write the files, card.toml among them, as `<url>/<name>/<version>`: the next version when none is given.

    Raises VersionExists, and ModelRefused for a name that cannot be one. In a local folder a version appears as a whole;
    elsewhere its card is written last.
    """
    import fsspec

    if not is_model_name(name):
        raise ModelRefused("A model's name has letters, digits, '.', '_' and '-' only, and at most 128 of them.")
    if version is not None and version < 0:
        raise ModelRefused("A model's version is a whole number.")
    for file in files:
        if PurePosixPath(file).name != file or file in (".", "..") or "\\" in file:
            raise ModelRefused("A file's name must be a plain name, without folders.")
    fs, root = fsspec.core.url_to_fs(url)
    model = f"{root}/{name}"
    wanted = max(_versions(fs, model), default=0) + 1 if version is None else version
    if "file" in fs.protocol:
        _put_local(Path(model), wanted, files)
    else:
        _put_remote(fs, f"{model}/{wanted}", wanted, files)
    return Placed(name, wanted, f"{url.rstrip('/')}/{name}/{wanted}")


def _versions(fs: Any, model: str) -> list[int]:
    fs.invalidate_cache()
    try:
        names = [entry["name"].rstrip("/").rpartition("/")[2] for entry in fs.ls(model, detail=True)]
    except FileNotFoundError:
        return []
    return [int(name) for name in names if name.isdecimal()]


def _put_local(model: Path, version: int, files: Mapping[str, bytes]) -> None:
    """Write beside, then rename: a rename does not replace a folder that holds something."""
    model.mkdir(parents=True, exist_ok=True)
    place = model / str(version)
    if place.exists():
        raise _taken(version)
    beside = Path(tempfile.mkdtemp(prefix=".adding-", dir=model))
    try:
        for file, content in files.items():
            (beside / file).write_bytes(content)
        beside.chmod(0o755)
        try:
            os.rename(beside, place)  # noqa: PTH104  Path.rename says the same
        except OSError:
            raise _taken(version) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put_remote(fs: Any, place: str, version: int, files: Mapping[str, bytes]) -> None:
    if fs.exists(place):
        raise _taken(version)
    fs.makedirs(place, exist_ok=True)
    for file in sorted(files, key=lambda file: file == CARD):
        fs.pipe_file(f"{place}/{file}", files[file])


def _taken(version: int) -> VersionExists:
    return VersionExists(f"There is a version {version} already, and versions are never overwritten; leave the version out.")
