"""`explainery doctor`."""

from __future__ import annotations

import click

from explainery.cli import exits
from explainery.cli.printing import print_json
from explainery.cli.service_url import json_option


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Say what `explainery up` needs, what is missing, and how to get it.

    Exits 1 when something needed is missing.
    """
    from explainery.cli.findings import findings
    from explainery.settings import load

    found = findings(load())
    if as_json:
        print_json([vars(finding) for finding in found])
    for finding in () if as_json else found:
        mark = "ok     " if finding.ok else "MISSING" if finding.needed else "absent "
        click.echo(f"{mark} {finding.what}: {finding.state}{'' if finding.ok else f' -> {finding.remedy}'}")
    if any(finding.needed and not finding.ok for finding in found):
        raise SystemExit(exits.FAILED)
