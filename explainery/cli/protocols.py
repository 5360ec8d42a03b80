"""`explainery protocols ...`: the requests of other platforms, for trying them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, Any

import click

from explainery.cli import exits
from explainery.cli.printing import print_json
from explainery.cli.service_url import connect, url_option
from explainery.cli.values import assignments


def _body(ctx: click.Context, param: click.Parameter, file: IO[str]) -> Any:
    try:
        return json.load(file)
    except ValueError:
        raise click.BadParameter("must be a file of JSON") from None


def body_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument BODY: a file, or `-` for standard input."""
    return click.argument("body", type=click.File(encoding="utf-8"), callback=_body)(function)


def version_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--version`."""
    return click.option("--version", help="Which version of the model; else the newest.")(function)


@click.group()
def command() -> None:
    """Ask as KServe, Triton, Vertex AI and TorchServe do, for trying it out; see docs/migrating.md. BODY: a file of JSON."""


@command.command("explain-v1")
@click.argument("model")
@body_argument
@url_option
def explain_v1(url: str | None, model: str, body: Any) -> None:
    """Explain by KServe's protocol V1, which Vertex AI speaks, too."""
    with connect(url) as client:
        print_json(client.explain_v1(model, body))


@command.command("predict-v1")
@click.argument("model")
@body_argument
@url_option
def predict_v1(url: str | None, model: str, body: Any) -> None:
    """Have the model's answers by KServe's protocol V1."""
    with connect(url) as client:
        print_json(client.predict_v1(model, body))


@command.command("live-v1")
@url_option
def live_v1(url: str | None) -> None:
    """Ask whether the service lives, by KServe's protocol V1."""
    with connect(url) as client:
        print_json(client.alive_v1())


@command.command("server-v2")
@url_option
def server_v2(url: str | None) -> None:
    """Ask who serves, by the Open Inference Protocol."""
    with connect(url) as client:
        print_json(client.server_v2())


@command.command("live-v2")
@url_option
def live_v2(url: str | None) -> None:
    """Ask whether the service lives, by the Open Inference Protocol."""
    with connect(url) as client:
        print_json(client.live_v2())


@command.command("ready-v2")
@click.argument("model", required=False)
@version_option
@url_option
def ready_v2(url: str | None, model: str | None, version: str | None) -> None:
    """Ask whether the service, or a model, is ready, by the Open Inference Protocol; exits 4 when it is not."""
    with connect(url) as client:
        ready = client.ready_v2() if model is None else client.model_ready_v2(model, version=version)
    click.echo("ready" if ready else "not ready")
    if not ready:
        raise SystemExit(exits.UNREACHABLE)


@command.command("model-v2")
@click.argument("model")
@version_option
@url_option
def model_v2(url: str | None, model: str, version: str | None) -> None:
    """Show a model's tensors by the Open Inference Protocol."""
    with connect(url) as client:
        print_json(client.model_v2(model, version=version))


@command.command("infer-v2")
@click.argument("model")
@body_argument
@version_option
@url_option
def infer_v2(url: str | None, model: str, body: Any, version: str | None) -> None:
    """Have the model's answers, or explanations, by the Open Inference Protocol."""
    with connect(url) as client:
        print_json(client.infer_v2(model, body, version=version))


@command.command("explain-torchserve")
@click.argument("model")
@body_argument
@version_option
@click.option("--put", is_flag=True, help="Send PUT, as `curl -T` does.")
@click.option("--query", callback=assignments, multiple=True, help="name=value: method and its parameters; may be repeated.")
@url_option
def explain_torchserve(url: str | None, model: str, body: Any, version: str | None, put: bool, query: dict[str, Any]) -> None:
    """Explain a row as TorchServe does."""
    with connect(url) as client:
        print_json(client.explain_torchserve(model, body, version=version, put=put, **query))
