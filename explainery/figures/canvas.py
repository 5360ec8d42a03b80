"""A sheet with pictures, boxes and texts at given pixels, as one Vega-Lite spec: what charts have no mark for."""

from __future__ import annotations

from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import INK, gradient

LEGEND_WIDTH, LEGEND_HEIGHT = 260, 12


class Canvas:
    """Collects what is drawn; `spec` gives the whole. Everything is in pixels from the upper left corner."""

    def __init__(self) -> None:
        self._images: list[dict[str, Any]] = []
        self._boxes: list[dict[str, Any]] = []
        self._texts: list[dict[str, Any]] = []
        self._legends: list[dict[str, Any]] = []
        self.width, self.height = 0.0, 0.0

    def image(self, x: float, y: float, width: float, height: float, url: str, said: str) -> None:
        """A picture."""
        self._images.append({"x": x, "y": y, "w": width, "h": height, "url": url, "said": said})
        self._cover(x + width, y + height)

    def box(self, x: float, y: float, width: float, height: float, colour: str, said: str) -> None:
        """A coloured box."""
        self._boxes.append({"x": x, "y": y, "x2": x + width, "y2": y + height, "colour": colour, "said": said})
        self._cover(x + width, y + height)

    def text(self, x: float, y: float, text: str, *, align: str = "left", colour: str = INK, size: float = 12) -> None:
        """A line of text, its middle at height `y`."""
        self._texts.append({"x": x, "y": y, "text": text, "align": align, "colour": colour, "size": size})
        self._cover(x if align == "left" else 0, y + size)

    def legend(self, x: float, y: float, limit: float, title: str, *, beyond: bool = False) -> None:
        """The diverging map from -limit to limit. `beyond`: there are amounts outside, drawn as the ends are."""
        low, high = ("≤ ", "≥ ") if beyond else ("", "")
        self._legends.append({"x": x, "y": y + 18, "x2": x + LEGEND_WIDTH, "y2": y + 18 + LEGEND_HEIGHT})
        self.text(x, y + 6, title)
        for place, align, text in (
            (0.0, "left", low + words.number(-limit)), (0.5, "center", "0"), (1.0, "right", high + words.signed(limit)),
        ):  # fmt: skip
            self.text(x + place * LEGEND_WIDTH, y + 18 + LEGEND_HEIGHT + 11, text, align=align)
        self._cover(x + LEGEND_WIDTH, y + 18 + LEGEND_HEIGHT + 18)

    def spec(self, title: str, reading: str, *, least_width: float = 560) -> dict[str, Any]:
        """All of it under a title and the reading."""
        width = max(self.width, least_width)
        layers = [*self._box_layers(), *self._image_layers(), *self._text_layers()]
        return theme.framed(title, reading, width, {"width": width, "height": self.height, "layer": layers})

    def _cover(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def _box_layers(self) -> list[dict[str, Any]]:
        place = {name: _pixel(name) for name in ("x", "y")} | {name: {"field": name} for name in ("x2", "y2")}
        made = []
        if self._boxes:
            colour = {"field": "colour", "type": "nominal", "scale": None}
            encoding = {**place, "color": colour, "description": {"field": "said", "type": "nominal"}}
            made.append({"data": theme.values(self._boxes), "mark": {"type": "rect", "cornerRadius": 2}, "encoding": encoding})
        if self._legends:
            mark = {"type": "rect", "color": gradient(), "aria": False}
            made.append({"data": theme.values(self._legends), "mark": mark, "encoding": place})
        return made

    def _image_layers(self) -> list[dict[str, Any]]:
        """One layer for each size: an image mark has its size for all."""
        made = []
        for size in dict.fromkeys((entry["w"], entry["h"]) for entry in self._images):
            rows = [entry for entry in self._images if (entry["w"], entry["h"]) == size]
            mark = {"type": "image", "align": "left", "baseline": "top", "width": size[0], "height": size[1], "aspect": False}
            encoding = {
                "x": _pixel("x"), "y": _pixel("y"), "url": {"field": "url", "type": "nominal"},
                "description": {"field": "said", "type": "nominal"},
            }  # fmt: skip
            made.append({"data": theme.values(rows), "mark": mark | {"smooth": False}, "encoding": encoding})
        return made

    def _text_layers(self) -> list[dict[str, Any]]:
        made = []
        for look in dict.fromkeys((entry["align"], entry["size"]) for entry in self._texts):
            align, size = look
            rows = [entry for entry in self._texts if (entry["align"], entry["size"]) == look]
            mark: dict[str, Any] = {"type": "text", "align": align, "baseline": "middle", "fontSize": size}
            encoding = {
                "x": _pixel("x"), "y": _pixel("y"), "text": {"field": "text", "type": "nominal"},
                "color": {"field": "colour", "type": "nominal", "scale": None},
            }  # fmt: skip
            made.append({"data": theme.values(rows), "mark": mark, "encoding": encoding})
        return made


def _pixel(name: str) -> dict[str, Any]:
    return {"field": name, "type": "quantitative", "scale": None, "axis": None}
