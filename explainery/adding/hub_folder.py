"""A folder as the Hugging Face hub lays them out, pinned to a commit. Safetensors only: pickles beside them are left alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explainery.adding.safetensors_file import joined
from explainery.contract.errors import ModelRefused

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubFolder:
    """What was found: the weights as one file, the commit, the labels of the configuration, architecture and tokenizer."""

    weights: bytes
    commit: str
    labels: tuple[str, ...]
    architecture: str
    tokenizer: bytes | None = None


def read(folder: Path, revision: str | None) -> HubFolder:
    """Read a folder. The commit is `revision`, or the folder's own name under snapshots/. Raises ModelRefused."""
    commit = revision or folder.resolve().name
    if not COMMIT.fullmatch(commit):
        raise ModelRefused(
            "The folder is not pinned to a commit: give --revision with the commit's 40 hexadecimal digits, "
            "or a folder snapshots/<commit> as the hub's tools make it."
        )
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise ModelRefused(
            "There is no .safetensors file in the folder; weights in pickles (.bin, .pt) are not taken from the hub."
        )
    config = _config(folder / "config.json")
    by_index = config.get("id2label")
    labels = tuple(str(by_index[index]) for index in sorted(by_index, key=_number)) if isinstance(by_index, dict) else ()
    architectures = config.get("architectures")
    architecture = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    tokenizer = folder / "tokenizer.json"
    return HubFolder(
        joined([shard.read_bytes() for shard in shards]),
        commit,
        labels,
        architecture,
        tokenizer.read_bytes() if tokenizer.is_file() else None,
    )


def _config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
