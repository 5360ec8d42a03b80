"""Writes what the docs say about methods and settings from their own descriptions: `python docs/generate.py`.

A test compares: a method, parameter or setting whose page is out of date is a red test.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from explainery.contract.auto import AUTO
from explainery.contract.catalogue import CheckSpec, MethodSpec, Param
from explainery.settings import Settings, variable
from workers.registry import discover
from workers.thresholds import EVERY, NEVER, TABLE, Rule

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: {} -->", "<!-- end of generated -->"


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """Each page that has a generated part, as it should read."""
    parts = {"methods.md": methods, "operations.md": settings, "quality.md": quality}
    return {
        DOCS / name: _filled((DOCS / name).read_text(encoding="utf-8"), part.__name__, part()) for name, part in parts.items()
    }


def methods() -> str:
    """The overview, and a section per method."""
    specs = [AUTO, *(plugin.SPEC for _, plugin in sorted(discover().methods.items()))]
    lines = ["| method | asks for | sums to the output's change | random |", "|---|---|---|---|"]
    for spec in specs:
        asks = "decides" if spec is AUTO else ", ".join(spec.asks)
        lines.append(f"| [`{spec.name}`](#{spec.name}) | {asks} | {_yes(spec.completeness)} | {_yes(spec.random)} |")
    return "\n".join([*lines, *(_section(spec) for spec in specs), *_checks_in_short()])


def quality() -> str:
    """A section per check, and the table of thresholds."""
    specs = [plugin.SPEC for _, plugin in sorted(discover().checks.items())]
    lines = [text for spec in specs for text in _check(spec)]
    lines += ["", "## Thresholds", "", "| figure | methods | warns | fails | reason |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *_thresholds()])


def _checks_in_short() -> list[str]:
    lines = ["", "## Quality checks", "", "What `quality` may name; all about them: [quality.md](quality.md).", ""]
    lines += ["| check | needs | parameters (default) |", "|---|---|---|"]
    for _, plugin in sorted(discover().checks.items()):
        spec: CheckSpec = plugin.SPEC
        given = ", ".join(f"`{param.name}` ({param.default})" for param in spec.params)
        lines.append(f"| [`{spec.name}`](quality.md#{spec.name}) | {spec.needs} | {given} |")
    return lines


def _check(spec: CheckSpec) -> list[str]:
    lines = ["", f"## {spec.name}", "", f"**{spec.title}.** {spec.summary}", "", f"Reference: {spec.reference}", ""]
    lines += ["| parameter | type | default | range | unit | what it does |", "|---|---|---|---|---|---|"]
    return lines + [_parameter(param) for param in spec.params]


def _thresholds() -> list[str]:
    """One line per rule; methods that have the same are in one line."""
    methods_of: dict[Rule, list[str]] = {}
    for rule in TABLE:
        methods_of.setdefault(dataclasses.replace(rule, method=EVERY), []).append(rule.method)
    lines = []
    for rule, names in methods_of.items():
        whom = "every" if names == [EVERY] else ", ".join(f"`{name}`" for name in names)
        cells = (f"`{rule.figure}`", whom, _from(rule, rule.warn), _from(rule, rule.fail), _cell(rule.words))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _from(rule: Rule, value: float) -> str:
    return "never" if abs(value) == NEVER else f"{'≤' if rule.falls else '≥'} {value:g}"


def settings() -> str:
    """One line per setting."""
    lines = ["| setting | default | unit | what it does |", "|---|---|---|---|"]
    for entry in dataclasses.fields(Settings):
        about = entry.metadata
        lines.append(
            f"| `{variable(entry.name)}` | {_value(entry.default)} | {about['unit'] or '-'} | {_cell(about['help'])} |"
        )
    return "\n".join(lines)


def _section(spec: MethodSpec) -> str:
    limit = f" At most {spec.max_players} players." if spec.max_players is not None else ""
    limit += " Answers for the job as a whole, with a [report](wire.md#reports)." if spec.level == "job" else ""
    lines = ["", f"## {spec.name}", "", f"**{spec.title}.** {spec.summary}{limit}", "", f"Reference: {spec.reference}"]
    if spec.params:
        lines += ["", "| parameter | type | default | range | unit | what it does |", "|---|---|---|---|---|---|"]
        lines += [_parameter(param) for param in spec.params]
    return "\n".join(lines)


def _parameter(param: Param) -> str:
    cells = (f"`{param.name}`", param.type, _value(param.default), _range(param), param.unit or "-", _cell(param.help))
    return f"| {' | '.join(cells)} |"


def _range(param: Param) -> str:
    if param.choices:
        return ", ".join(param.choices)
    ends = [f"{sign} {end:g}" for sign, end in (("≥", param.minimum), ("≤", param.maximum)) if end is not None]
    return ", ".join(ends) or "-"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "`1`" if value else "`0`"
    text = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
    return f"`{text}`" if text else "-"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _filled(page: str, name: str, text: str) -> str:
    """The page with the part between its two marks replaced. Raises ValueError when the marks are not there."""
    begin = BEGIN.format(name)
    before, after = page.index(begin) + len(begin), page.index(END)
    return f"{page[:before]}\n{text}\n{page[after:]}"


if __name__ == "__main__":
    main()
