"""The option every command shares that asks the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from explainery.client import Client
from explainery.settings import load


def url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--url`."""
    text = "Address of the service. Default: EXPLAINERY_HOST and EXPLAINERY_PORT, http://127.0.0.1:8080."
    return click.option("--url", metavar="URL", help=text)(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(function)


def connect(url: str | None) -> Client:
    """A client of the service meant."""
    settings = load()
    return Client(url or f"http://{settings.host}:{settings.port or 8080}", api_key=settings.api_key or None)
