"""How wide a text is in the figures' font: Liberation Sans, whose letters are as wide as Arial's and Helvetica's.

It comes with vl-convert, so a text can be laid out the same where no other font is installed; a monospaced one does not.
"""

from __future__ import annotations

import unicodedata

# From the space on, as Helvetica's font metrics list them.
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 "
    "556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 "
    "1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 "
    "667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 "
    "333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 "
    "556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)  # fmt: skip
ASCII = {chr(32 + place): int(width) for place, width in enumerate(_WIDTHS.split())}
OTHERS = {"\u2013": 556, "\u2014": 1000, "\u2018": 222, "\u2019": 222, "\u201c": 333, "\u201d": 333, "\u2026": 1000}
"""Dashes, quotation marks and the ellipsis."""
WIDE, USUAL = 1000, 600


def width(text: str, size: float) -> float:
    """Pixels that a text takes on one line, exact for ASCII and near for other scripts."""
    return sum(map(_letter, text)) * size / 1000


def _letter(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    base = unicodedata.normalize("NFD", letter)[0]
    known = ASCII.get(base) or OTHERS.get(base)
    return known or (WIDE if unicodedata.east_asian_width(letter) in "WF" else USUAL)
