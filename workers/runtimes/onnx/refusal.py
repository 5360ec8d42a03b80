"""Why a graph is not translated: one exception, which names the operator."""

from __future__ import annotations


class Untranslatable(Exception):
    """The graph has no translation. The message is half a sentence for the catalogue: what, of which operator."""


class Unequal(Untranslatable):
    """The translation computes something else than ONNX Runtime. `difference`: in units of the largest output."""

    def __init__(self, difference: float) -> None:
        super().__init__(f"the translation to torch differs from ONNX Runtime by {difference:.1e} of the largest output")
        self.difference = difference


def label(domain: str, op: str) -> str:
    """An operator as people know it: `Conv`, or `com.microsoft.FastGelu`. A file's own text is shortened."""
    name = f"{domain}.{op}" if domain else op
    printable = "".join(letter for letter in name if letter.isalnum() or letter in "._-")
    return printable[:64] or "?"
