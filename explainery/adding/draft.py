"""A card as far as it is known, and what is left to fill in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from explainery.contract.errors import CardInvalid
from explainery.contract.model_card import ModelCard, parse_card


@dataclass
class Draft:
    """Tables of a card. `left`: what a person should fill in or look at, as "place: what"; `source`: where it came from."""

    top: dict[str, Any]
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    source: str = ""

    def text(self) -> str:
        """The card as TOML; what is left is in it as comments."""
        lines = [f"# from {_plain(self.source)}"] if self.source else []
        lines += [f"# fill in {_plain(each)}" for each in self.left]
        lines += _pairs(self.top)
        for name, tables in (("inputs", self.inputs), ("outputs", self.outputs)):
            for table in tables:
                lines += ["", f"[[{name}]]", *_pairs(table)]
        for name, table in self.tables.items():
            lines += ["", f"[{name}]", *_pairs(table)]
        return "\n".join(lines) + "\n"

    def card(self) -> ModelCard | None:
        """The card, or None while it cannot be used."""
        try:
            return parse_card(self.text())
        except CardInvalid:
            return None


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in table.items() if value is not None]


def _toml(value: Any) -> str:
    """A value as TOML writes it; strings of JSON are strings of TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(name))} = {_toml(part)}" for name, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(_plain(value), ensure_ascii=False)
    return json.dumps(value)


def _plain(text: str) -> str:
    """Text without what could end a comment or a string."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
