"""`explainery models add`: registers model files in the repository, with the card that can be inferred."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from explainery.cli.printing import plain, print_json
from explainery.settings import load

if TYPE_CHECKING:
    from explainery.adding.assemble import Assembled
    from explainery.adding.sources import Gathered


def add(
    sources: tuple[str, ...],
    name: str | None,
    version: int | None,
    card: Path | None,
    factory: str | None,
    revision: str | None,
    as_json: bool,
) -> None:
    """Fetch, draft, put into the repository, and say what is left to fill in."""
    from explainery.adding.place import CARD, put
    from explainery.adding.sources import gather

    gathered = gather(sources, revision)
    if card is not None:
        gathered.files[CARD] = card.read_bytes()
    chosen = name or gathered.name
    made = _assembled(chosen, gathered, factory)
    placed = put(load().models_url, chosen, version, made.files)
    report: dict[str, Any] = {
        "model": f"{placed.name}@{placed.version}",
        "place": placed.place,
        "usable": made.card is not None,
        "left": list(made.left),
    }
    if as_json:
        print_json(report)
        return
    click.echo(f"{report['model']} in {placed.place}")
    if made.card is None:
        click.echo(f"It cannot be used before {CARD} is complete:")
    elif made.left:
        click.echo(f"It can be used. {CARD} could say more:")
    for each in made.left:
        click.echo(f"  {plain(each)}")


def _assembled(name: str, gathered: Gathered, factory: str | None) -> Assembled:
    from explainery.adding.assemble import assemble

    made = assemble(
        name, gathered.files, factory=factory, source=gathered.source, labels=gathered.labels, schema=gathered.schema
    )
    if not gathered.architecture or made.card is not None:
        return made
    hint = f"factory: the configuration names the architecture {gathered.architecture}"
    return type(made)(made.files, made.card, (hint, *made.left))
