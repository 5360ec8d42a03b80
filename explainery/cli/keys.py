"""`explainery keys create|list|revoke`: API keys, for operators."""

from __future__ import annotations

import re

import click

from explainery.cli.ledger import opened
from explainery.cli.printing import print_json, print_table
from explainery.cli.service_url import json_option
from explainery.contract.access import ApiKey, Role
from explainery.contract.job import DEFAULT_TENANT, is_tenant

UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def tenant_name(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Check an option or argument that names a tenant."""
    if not is_tenant(value):
        raise click.BadParameter("must be letters, digits, '.', '_' or '-', at most 64")
    return value


@click.group()
def command() -> None:
    """Make, list and revoke API keys.

    Asks Redis itself, as `explainery worker` finds it: this is how the first key is made. The API asks for keys where
    EXPLAINERY_AUTH=keys.
    """


@command.command("create")
@click.option("--name", required=True, help="Whose it is, or what for: for your own records.")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, callback=tenant_name, help="Whose jobs it reaches.")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.SUBMITTER),
    show_default=True,
    help="viewer reads; submitter submits and cancels, too; operator may do everything; monitor reads /metrics alone.",
)
@click.option("--expires", metavar="TIME", help="When it ends, from now: 12h, 90d, 8w. Default: never.")
@json_option
def create(as_json: bool, name: str, tenant: str, role: str, expires: str | None) -> None:
    """Make a key and print it, this once: only a digest of it is kept."""
    from explainery.store.access import KeyStore

    ttl_s = None if expires is None else _seconds(expires)
    with opened() as (redis, _):
        made, token = KeyStore(redis).create(name, tenant, Role(role), ttl_s)
    if as_json:
        print_json({**made.model_dump(mode="json"), "key": token})
        return
    click.echo(token)
    click.echo(f"key {made.id}: {made.role} of tenant {made.tenant}; it is not shown again", err=True)


@command.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List the keys there are, by their public ids."""
    from explainery.store.access import KeyStore

    with opened() as (redis, _):
        found = KeyStore(redis).all()
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table(("id", "name", "tenant", "role", "created", "expires", "last used"), map(_row, found))


@command.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key: from now on it opens nothing."""
    from explainery.store.access import KeyStore

    with opened() as (redis, _):
        KeyStore(redis).revoke(key_id)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if match is None or not int(match[1]):
        raise click.BadParameter("must be hours, days or weeks, like 12h, 90d, 8w", param_hint="--expires")
    return int(match[1]) * UNITS[match[2]]


def _row(made: ApiKey) -> tuple[str, ...]:
    return made.id, made.name, made.tenant, made.role, made.created_at, made.expires_at or "never", made.used_at or "never"
