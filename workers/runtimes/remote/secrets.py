"""Headers whose values are secrets: the card names variables, the worker's environment or a file holds the values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from explainery.contract.remote_card import RemoteSpec


def secret_headers(remote: RemoteSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """Header -> value. Raises ValueError naming the variable that is missing or cannot be used, never a value."""
    return {header: _value(variable, environ) for header, variable in remote.headers.items()}


def _value(variable: str, environ: Mapping[str, str]) -> str:
    try:
        path = environ.get(f"{variable}_FILE")
        value = environ.get(variable) if path is None else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"the file that {variable}_FILE names cannot be read on this worker") from None
    if value is None:
        raise ValueError(f"set {variable}, or {variable}_FILE to the path of a file, where this worker runs")
    value = value.strip()
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"{variable} must be one line of plain ASCII text")
    return value
