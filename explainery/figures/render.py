"""A figure -> SVG or PNG by vl-convert, the extra `figures`: offline, nothing is fetched from anywhere."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

from explainery.contract.errors import FiguresUnavailable
from explainery.figures.figure import Figure

_GRADIENT = re.compile(r'(<linearGradient id="|(?:fill|stroke)="url\(#)(gradient_\d+)("|\)")')
VERSION = "5.21"
SCALE = 2.0
"""Pixels of the PNG per pixel of the chart."""


def svg(figure: Figure, *, titled: bool = True) -> bytes:
    """The figure as SVG: its texts stay texts, its marks say their numbers; the same every time. Raises FiguresUnavailable.

    `titled`: with title and reading, which a page has in its own text.
    """
    spec = figure.spec if titled else {name: part for name, part in figure.spec.items() if name != "title"}
    drawn = str(_converter().vegalite_to_svg(spec, vl_version=VERSION, allowed_base_urls=[]))
    return _GRADIENT.sub(_renamed(f"{zlib.crc32(drawn.partition('gradient_')[0].encode()):08x}"), drawn).encode()


def png(figure: Figure) -> bytes:
    """The figure as PNG. Raises FiguresUnavailable."""
    return bytes(_converter().vegalite_to_png(figure.spec, vl_version=VERSION, scale=SCALE, allowed_base_urls=[]))


def _renamed(prefix: str) -> Callable[[re.Match[str]], str]:
    """Vega numbers gradients over all it has drawn: numbered anew, and distinct where two figures stand on one page."""
    names: dict[str, str] = {}
    return lambda found: f"{found[1]}{names.setdefault(found[2], f'g{prefix}-{len(names)}')}{found[3]}"


def _converter() -> Any:
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise FiguresUnavailable(
            "Figures cannot be drawn here: install the extra, pip install explainery[figures]. As .json the same figure is a "
            "Vega-Lite spec that a browser draws."
        ) from None
    return vl_convert
