"""Why a graph is not translated: one exception, which names the operator."""

from __future__ import annotations


class Untranslatable(Exception):
    """The graph has no translation. The message is half a sentence for the catalogue: what, of which operator."""


class Unequal(Untranslatable):
    """The translation computes something else than ONNX Runtime. `difference`: in units of the largest output."""

    def __init__(self, difference: float) -> None:
        super().__init__(f"the translation to torch differs from ONNX Runtime by {difference:.1e} of the largest output")
        self.difference = difference


def label(domain: str | bytes, op: str | bytes) -> str:
    """An operator as people know it: `Conv`, or `com.microsoft.FastGelu`. A file's own text is shortened; it may be bytes."""
    parts = [part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in (domain, op)]
    name = ".".join(part for part in parts if part)
    printable = "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "._-"))
    return printable[:64] or "?"
