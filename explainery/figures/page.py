"""A figure as a page that needs nothing else: the reading, the picture, the numbers as a table."""

from __future__ import annotations

from html import escape

from explainery.figures import words
from explainery.figures.figure import Cell, Figure

STYLE = """
body { font: 15px/1.5 "Liberation Sans", Arial, Helvetica, sans-serif; color: #222 }
body { max-width: 60em; margin: 2em auto; padding: 0 1em }
svg { max-width: 100%; height: auto } h1 { font-size: 1.3em } table { border-collapse: collapse; margin-top: 1em }
th, td { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: left } td.number { text-align: right }
td.number { font-variant-numeric: tabular-nums } .note { color: #555 }
"""


def page(figure: Figure, svg: bytes) -> bytes:
    """The page as HTML; `svg`: untitled. All that a client or a card wrote is escaped."""
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in figure.notes)
    head = "".join(f"<th>{escape(column)}</th>" for column in figure.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in figure.rows)
    body = (
        f"<h1>{escape(figure.title)}</h1><p>{escape(figure.reading)}</p>{figure.html or ''}{svg.decode()}{notes}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(figure.title)}</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return f'<td class="number" title="{value!r}">{escape(words.number(value))}</td>'
    return f'<td class="number">{value}</td>' if isinstance(value, int) else f"<td>{escape(value or '')}</td>"
