"""From a file to what the client submits."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def read(path: Path) -> Any:
    """Rows from a file, by its suffix.

    .json: a list of instances, an object with `instances` or `inputs`, or one instance. .npz: one array per input (a lone array
    may have any name). .csv: a row per line, named by the header if there is one. .png, .jpg: one image. .txt: a text per line.
    Raises click.BadParameter saying what is wrong with the file.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise click.BadParameter(f"{path.name}: give a file ending in {', '.join(sorted(_READERS))}")
    try:
        return reader(path)
    except OSError as error:
        raise click.BadParameter(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, csv.Error):
        raise click.BadParameter(f"{path.name} is not a {path.suffix} file that can be read as rows") from None


def _json(path: Path) -> Any:
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        return document
    return document.get("instances", document.get("inputs", [document]))


def _npz(path: Path) -> Any:
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def _csv(path: Path) -> list[Any]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = [[_cell(text) for text in row] for row in csv.reader(lines) if row]
    if not rows or len({len(row) for row in rows}) > 1:
        raise ValueError
    if any(isinstance(cell, str) for cell in rows[0]):
        return [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]
    return rows


def _cell(text: str) -> int | float | str:
    text = text.strip()
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _texts(path: Path) -> list[Any]:
    texts = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not texts:
        raise ValueError
    return texts


def _image(path: Path) -> list[Any]:
    return [{"b64": base64.b64encode(path.read_bytes()).decode("ascii"), "media_type": _MEDIA_TYPES[path.suffix.lower()]}]


_READERS: dict[str, Callable[[Path], Any]] = {".json": _json, ".npz": _npz, ".csv": _csv, ".txt": _texts} | dict.fromkeys(
    _MEDIA_TYPES, _image
)
