"""`explainery models list|show|layers|check|add|upload|quarantined|release`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from explainery.cli import exits
from explainery.cli.ledger import quarantine
from explainery.cli.printing import plain, print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option


@click.group()
def command() -> None:
    """List the models of the service; check a model folder; add a model; look after models in quarantine."""


@command.command("list")
@json_option
@url_option
def list_models(url: str | None, as_json: bool) -> None:
    """List the models on offer and what can explain them."""
    with connect(url) as client:
        models = client.models()
    if as_json:
        print_json(models)
        return
    print_table(("model", "versions", "runtime", "title", "methods"), map(_row, models))


@command.command("show")
@click.argument("name")
@url_option
def show_model(url: str | None, name: str) -> None:
    """Show a model as JSON: its card, its versions, and what can explain it. NAME may be name@version."""
    with connect(url) as client:
        print_json(client.model(name))


@command.command("upload")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE..."
)
@click.option("--name", required=True, help="The model's name.")
@click.option("--version", type=click.IntRange(min=0), help="Its version; else the next. None is ever overwritten.")
@click.option("--factory", help='What builds the module of a weights file: "module:function".')
@json_option
@url_option
def upload_model(
    url: str | None, as_json: bool, files: tuple[Path, ...], name: str, version: int | None, factory: str | None
) -> None:
    """Add a model to the service's repository over HTTP, where the service allows it (EXPLAINERY_MODEL_UPLOADS).

    FILE is a model and, beside it, a card.toml or a sample. `explainery models add` writes to a repository on this machine.
    """
    with connect(url) as client:
        added = client.add_model(name, {file.name: file.read_bytes() for file in files}, version=version, factory=factory)
    if as_json:
        print_json(added)
        return
    click.echo(f"{added['name']}@{added['version']}")
    for left in added["left"]:
        click.echo(f"  left to fill in: {plain(left)}")


@command.command("layers")
@click.argument("name")
@json_option
@url_option
def list_layers(name: str, url: str | None, as_json: bool) -> None:
    """List the layers of a model: what the parameter `layer` may name. NAME may be name@version."""
    with connect(url) as client:
        layers = client.layers(name)
    if as_json:
        print_json(layers)
        return
    print_table(("layer", "type", "output", "parameters", "share", "methods"), map(_layer, layers))


@command.command("check")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
def check_models(folder: Path, as_json: bool) -> None:
    """Say what is wrong with the cards in a model repository, a model or a version folder, and where.

    Checks cards and the files they name, without loading the model. Exits 1 when there is a fault.
    """
    from explainery.cli.card_check import check

    report = check(folder)
    if as_json:
        print_json([{"card": str(path), "faults": [vars(fault) for fault in faults]} for path, faults in report.items()])
    for path, faults in () if as_json else report.items():
        click.echo(f"{path}: {'ok' if not faults else f'{len(faults)} faults' if len(faults) > 1 else '1 fault'}")
        for fault in faults:
            click.echo(f"  {fault.loc}: {plain(fault.msg)}")
    if any(report.values()):
        raise SystemExit(exits.FAILED)


@command.command("add")
@click.argument("sources", nargs=-1, required=True, metavar="FILE...")
@click.option("--name", help="The model's name; else that of the first file.")
@click.option("--version", type=click.IntRange(min=0), help="Its version; else the next. None is ever overwritten.")
@click.option("--card", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A card.toml to take as it is.")
@click.option("--factory", help='What builds the module of a weights file: "module:function".')
@click.option("--revision", help="The commit that a folder of the hub is pinned to.")
@json_option
def add_model(
    sources: tuple[str, ...],
    name: str | None,
    version: int | None,
    card: Path | None,
    factory: str | None,
    revision: str | None,
    as_json: bool,
) -> None:
    """Put a model into the repository, with the card that its file lets one infer.

    FILE is a model (.onnx, .safetensors, .pt2, or a state dict as .pt or .pth, which is converted), and beside it a sample
    (.npz) or baselines (.npy); a URL of one; a folder of the Hugging Face hub at one commit; or models:/name/version or
    models:/name@alias of an MLflow registry. Says what is left to fill in.
    """
    from explainery.cli.models_add import add

    add(sources, name, version, card, factory, revision, as_json)


@command.command("quarantined")
@json_option
def list_banned(as_json: bool) -> None:
    """List models that workers kept dying of.

    Asks Redis itself, as `explainery worker` finds it.
    """
    with quarantine() as (jobs, _):
        banned = jobs.models()
    if as_json:
        print_json([vars(model) for model in banned])
        return
    rows = ((model.group, model.since, str(model.deaths), model.last_exit) for model in banned)
    print_table(("model", "since", "deaths", "last exit"), rows)


@command.command("release")
@click.argument("group", metavar="MODEL")
def release_banned(group: str) -> None:
    """Let a model in quarantine be used again.

    MODEL is what `explainery models quarantined` lists: name, version and digest. Jobs that failed meanwhile stay failed.
    """
    with quarantine() as (jobs, _):
        released = jobs.release_model(group)
    if not released:
        raise exits.Failure(
            "There is no such model in quarantine; `explainery models quarantined` lists those there are.", exits.REFUSED
        )


def _layer(layer: dict[str, Any]) -> tuple[str, ...]:
    shape, share = " x ".join(map(str, layer["shape"])), f"{layer['share']:.1%}"
    return layer["path"], layer["type"], shape, str(layer["parameters"]), share, ", ".join(layer["methods"])


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    """A model by its newest version."""
    newest = model["versions"][0]
    versions = ", ".join(str(entry["version"]) for entry in model["versions"])
    methods = ", ".join(name for name, told in newest["methods"].items() if told["available"])
    return model["name"], versions, newest["runtime"], newest["card"]["title"], newest.get("fault") or methods
