"""`explainery webhooks add|list|show|remove|rotate-secret|ping|deliveries`."""

from __future__ import annotations

from typing import Any

import click

from explainery.cli.printing import print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option
from explainery.contract.webhooks import KNOWN_TYPES


@click.group()
def command() -> None:
    """Have other services told of what becomes of jobs."""


@command.command("add")
@click.argument("target")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(KNOWN_TYPES), help="Events to be told of. Default: every end."
)
@click.option("--description", default="", help="For your own records.")
@click.option("--signing", type=click.Choice(["hmac", "ed25519"]), default="hmac", help="A shared secret, or a public key.")
@click.option("--batch-jobs", is_flag=True, help="Be told of the jobs inside batches, too.")
@json_option
@url_option
def add(url: str | None, as_json: bool, target: str, types: tuple[str, ...], **said: Any) -> None:
    """Add a webhook; TARGET is an https:// address. Prints the secret or the public key, which is not shown again."""
    with connect(url) as client:
        webhook = client.add_webhook(target, list(types) or None, **said)
    _print_new(webhook, as_json)


def _print_new(webhook: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(webhook)
        return
    click.echo(f"{webhook['id']}  {webhook['url']}")
    shown = "secret" if "secret" in webhook else "public_key"
    click.echo(f"{shown.replace('_', ' ')}: {webhook[shown]}  (it is not shown again)")


@command.command("list")
@json_option
@url_option
def list_all(url: str | None, as_json: bool) -> None:
    """List webhooks."""
    with connect(url) as client:
        found = client.webhooks()
    if as_json:
        print_json(found)
        return
    print_table(("id", "url", "events", "state", "failing", "last delivered"), map(_row, found))


@command.command("show")
@click.argument("webhook_id")
@url_option
def show(url: str | None, webhook_id: str) -> None:
    """Show a webhook as JSON: whether it is disabled and why."""
    with connect(url) as client:
        print_json(client.webhook(webhook_id))


@command.command("remove")
@click.argument("webhook_id")
@url_option
def remove(url: str | None, webhook_id: str) -> None:
    """Remove a webhook, and what waits for it."""
    with connect(url) as client:
        client.remove_webhook(webhook_id)


@command.command("rotate-secret")
@click.argument("webhook_id")
@click.option(
    "--grace-s",
    type=click.IntRange(0, 30 * 86400),
    default=86400,
    show_default=True,
    help="Seconds that the old one signs, too.",
)
@json_option
@url_option
def rotate_secret(url: str | None, as_json: bool, webhook_id: str, grace_s: int) -> None:
    """Give a webhook another secret, or another pair of keys, and print it this once."""
    with connect(url) as client:
        _print_new(client.rotate_webhook_secret(webhook_id, grace_s=grace_s), as_json)


@command.command("ping")
@click.argument("webhook_id")
@url_option
def ping(url: str | None, webhook_id: str) -> None:
    """Send a test; `explainery webhooks deliveries` says what became of it."""
    with connect(url) as client:
        click.echo(client.ping_webhook(webhook_id)["id"])


@command.command("deliveries")
@click.argument("webhook_id")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@json_option
@url_option
def deliveries(url: str | None, as_json: bool, webhook_id: str, limit: int) -> None:
    """List what was delivered, what waits, and what failed."""
    with connect(url) as client:
        found = client.webhook_deliveries(webhook_id, limit=limit)
    if as_json:
        print_json(found)
        return
    columns = ("id", "type", "status", "attempts", "answer", "tried", "next try")
    print_table(columns, ([_cell(each[name]) for name in _SHOWN] for each in found))


_SHOWN = ("id", "type", "status", "attempts", "answer", "tried_at", "next_at")


def _row(webhook: dict[str, Any]) -> list[str]:
    types = ", ".join(name.partition(".")[2] for name in webhook["types"])
    state = f"disabled: {webhook['disabled_reason']}" if webhook["disabled_at"] else "on"
    return [webhook["id"], webhook["url"], types, state, str(webhook["failing"]), _cell(webhook["delivered_at"])]


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
