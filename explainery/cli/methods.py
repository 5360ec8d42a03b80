"""`explainery methods`."""

from __future__ import annotations

from typing import Any

import click

from explainery.cli.printing import print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option


@click.command()
@json_option
@url_option
def command(url: str | None, as_json: bool) -> None:
    """List the methods on offer and their parameters."""
    with connect(url) as client:
        methods = client.methods()
    if as_json:
        print_json(methods)
        return
    print_table(("method", "title", "asks for", "parameters (default)"), map(_row, methods))


def _row(method: dict[str, Any]) -> tuple[str, ...]:
    params = ", ".join(f"{param['name']} ({_default(param.get('default'))})" for param in method.get("params", []))
    return method["name"], method.get("title", ""), ", ".join(method.get("asks", [])), params


def _default(value: object) -> str:
    return "-" if value is None else str(value)
