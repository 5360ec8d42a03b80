"""A figure -> SVG or PNG by vl-convert, the extra `figures`: offline, nothing is fetched from anywhere."""

from __future__ import annotations

from typing import Any

from explainery.contract.errors import FiguresUnavailable
from explainery.figures.figure import Figure

VERSION = "5.21"
SCALE = 2.0
"""Pixels of the PNG per pixel of the chart."""


def svg(figure: Figure) -> bytes:
    """The figure as SVG: its texts stay texts, its marks say their numbers. Raises FiguresUnavailable."""
    return str(_converter().vegalite_to_svg(figure.spec, vl_version=VERSION, allowed_base_urls=[])).encode()


def png(figure: Figure) -> bytes:
    """The figure as PNG. Raises FiguresUnavailable."""
    return bytes(_converter().vegalite_to_png(figure.spec, vl_version=VERSION, scale=SCALE, allowed_base_urls=[]))


def _converter() -> Any:
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise FiguresUnavailable(
            "Figures cannot be drawn here: install the extra, pip install explainery[figures]. As .json the same figure is a "
            "Vega-Lite spec that a browser draws."
        ) from None
    return vl_convert
