"""`explainery methods`."""

from __future__ import annotations

from typing import Any

import click

from explainery.cli.printing import plain, print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option


@click.command()
@click.argument("name", required=False)
@click.option("--checks", is_flag=True, help="List the quality checks in place of the methods.")
@json_option
@url_option
def command(url: str | None, as_json: bool, checks: bool, name: str | None) -> None:
    """List the methods on offer and their parameters; with NAME, one of them with the help of each parameter."""
    if name is not None:
        _show(url, as_json, name)
        return
    with connect(url) as client:
        methods = client.quality_checks() if checks else client.methods()
    if as_json:
        print_json(methods)
        return
    print_table(("check" if checks else "method", "title", "asks for", "parameters (default)"), map(_row, methods))


def _show(url: str | None, as_json: bool, name: str) -> None:
    with connect(url) as client:
        method = client.method(name)
    if as_json:
        print_json(method)
        return
    click.echo(f"{method['name']}: {plain(method.get('title', ''))}. {plain(method.get('summary', ''))}")
    params = ((param["name"], param["type"], _default(param.get("default")), param["help"]) for param in method["params"])
    print_table(("parameter", "type", "default", "help"), params)


def _row(method: dict[str, Any]) -> tuple[str, ...]:
    params = ", ".join(f"{param['name']} ({_default(param.get('default'))})" for param in method.get("params", []))
    return method["name"], method.get("title", ""), ", ".join(method.get("asks") or [method.get("needs", "")]), params


def _default(value: object) -> str:
    return "-" if value is None else str(value)
