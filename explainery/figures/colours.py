"""One diverging map for every signed amount: red lowers, blue raises, pale is nothing. Told apart with every colour blindness.

The seventeen anchors are taken from vik (F. Crameri, Scientific colour maps, MIT licence), turned round so that blue raises as
in the demo's pictures; between two of them lies the straight line in sRGB, so that a colour can be read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANCHORS = (
    "#590008", "#731406", "#912D06", "#B2511D", "#C27041", "#CF8C66", "#DBAA8D", "#E9CAB8", "#ECE5E0",
    "#C6DBE6", "#94BED2", "#619EBD", "#307DA6", "#0C5E92", "#034481", "#022B71", "#001261",
)  # fmt: skip
RAISES, LOWERS, NEUTRAL, INK = "#0C5E92", "#B2511D", "#777777", "#222222"
MISSING = "#FFFFFF"


def colours(values: NDArray[Any], limit: float) -> NDArray[Any]:
    """uint8 [..., 3] of values [...], `-limit` to `limit` over the whole map; what lies beyond has the colour of its end."""
    import numpy as np

    places = (np.clip(values / (limit or 1.0), -1, 1) + 1) / 2
    anchors = np.array([_rgb(colour) for colour in ANCHORS], dtype=np.float64)
    marks = np.linspace(0, 1, len(ANCHORS))
    mixed = np.stack([np.interp(places, marks, anchors[:, channel]) for channel in range(3)], axis=-1)
    return np.rint(mixed).astype(np.uint8)


def hex_colour(value: float, limit: float) -> str:
    """One value's colour as `#rrggbb`."""
    import numpy as np

    return "#{:02x}{:02x}{:02x}".format(*colours(np.array(value), limit).tolist())


def ink_on(value: float, limit: float) -> str:
    """Black or white, whichever is read better on a value's colour (by relative luminance, WCAG 2.2)."""
    import numpy as np

    shares = [part / 255 for part in colours(np.array(value), limit).tolist()]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shares]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.18 else "#000000"


def gradient() -> dict[str, Any]:
    """The map as a Vega-Lite gradient from left to right, for a legend."""
    last = len(ANCHORS) - 1
    stops = [{"offset": place / last, "color": colour} for place, colour in enumerate(ANCHORS)]
    return {"gradient": "linear", "x1": 0, "y1": 0, "x2": 1, "y2": 0, "stops": stops}


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))
