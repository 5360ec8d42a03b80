"""Write one version of a model into a repository: card, weights, sample rows, baseline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import parse_card

SAMPLE_ROWS = 32


@dataclass(frozen=True)
class Bundle:
    """A trained model: its card (without sample and baseline), the file with its weights, its held-out rows."""

    card: Mapping[str, Any]
    content: bytes
    held_out: NDArray[np.float32]
    baseline: NDArray[np.float32] | None = None


def write(folder: Path, bundle: Bundle) -> None:
    """Write the folder in one step: a worker that is looking sees all of it or nothing."""
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / str(bundle.card["file"])).write_bytes(bundle.content)
    np.savez(draft / "sample.npz", input=bundle.held_out[:SAMPLE_ROWS])
    card = {**bundle.card, "sample": {"file": "sample.npz"}}
    if bundle.baseline is not None:
        np.save(draft / "baseline.npy", bundle.baseline)
        card["baseline"] = {"input": "baseline.npy"}
    text = toml(card)
    parse_card(text)
    (draft / "card.toml").write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)


def toml(card: Mapping[str, Any]) -> str:
    """A card as TOML: plain values first, then tables, then lists of tables."""
    out = _Toml()
    out.plain({key: value for key, value in card.items() if not _is_table(value)})
    for key, value in card.items():
        if isinstance(value, Mapping):
            out.table(f"[{key}]", value)
        elif _is_table(value):
            for entry in value:
                out.table(f"[[{key}]]", entry)
    return "\n".join(out.lines) + "\n"


@dataclass
class _Toml:
    lines: list[str] = field(default_factory=list)

    def plain(self, values: Mapping[str, Any]) -> None:
        self.lines += [f"{key} = {_literal(value)}" for key, value in values.items()]

    def table(self, heading: str, values: Mapping[str, Any]) -> None:
        self.lines += ["", heading]
        self.plain(values)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_literal(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
