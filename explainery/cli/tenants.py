"""`explainery tenants set|list|show|forget`: what each tenant may use, for operators."""

from __future__ import annotations

from typing import Any

import click

from explainery.cli.keys import tenant_name
from explainery.cli.ledger import opened
from explainery.cli.printing import print_json, print_table
from explainery.cli.service_url import json_option
from explainery.contract.access import Policy

FIELDS = ("models", "requests", "jobs", "bytes", "compute_s")
named = click.argument("tenant", callback=tenant_name)


@click.group()
def command() -> None:
    """Say which models a tenant may use, and how much.

    Asks Redis itself, as `explainery worker` finds it. What a tenant has no number of its own for is as EXPLAINERY_TENANT_...
    says. It counts where EXPLAINERY_AUTH is on, from the next request.
    """


@command.command("set")
@named
@click.option("--models", multiple=True, metavar="PATTERN", help="Models it may use, like 'credit-*'; may be given again.")
@click.option("--requests", type=click.IntRange(0), help="Requests in a minute; 0: any number.")
@click.option("--jobs", type=click.IntRange(0), help="Jobs that have not ended; 0: any number.")
@click.option("--bytes", "bytes_", type=click.IntRange(0), help="Bytes of inputs, results and backgrounds; 0: any number.")
@click.option("--compute-s", type=click.FloatRange(0), help="Seconds of compute a day (UTC); 0: any number.")
@click.option("--default", "back", multiple=True, type=click.Choice(FIELDS), help="Go back to what the settings say.")
@json_option
def change(
    as_json: bool,
    tenant: str,
    models: tuple[str, ...],
    requests: int | None,
    jobs: int | None,
    bytes_: int | None,
    compute_s: float | None,
    back: tuple[str, ...],
) -> None:
    """Change what a tenant may use; what is not named stays."""
    from explainery.store.tenants import TenantStore

    asked = {"models": models or None, "requests": requests, "jobs": jobs, "bytes": bytes_, "compute_s": compute_s}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    changes |= dict.fromkeys(back)
    if not changes:
        raise click.UsageError("Say what to change, for example --models 'credit-*'.")
    with opened() as (redis, settings):
        policy = TenantStore(redis, settings).set(tenant, **changes)
    _print({tenant: policy}, as_json)


@command.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List the tenants that have a policy of their own."""
    from explainery.store.tenants import TenantStore

    with opened() as (redis, settings):
        found = TenantStore(redis, settings).all()
    _print(found, as_json)


@command.command("show")
@named
@json_option
def show(as_json: bool, tenant: str) -> None:
    """Show what a tenant may use, as it counts now."""
    from explainery.store.tenants import TenantStore

    with opened() as (redis, settings):
        policy = TenantStore(redis, settings).policy(tenant)
    _print({tenant: policy}, as_json)


@command.command("forget")
@named
def forget(tenant: str) -> None:
    """Forget a tenant's own policy, so that the settings count; its keys and jobs stay."""
    from explainery.store.tenants import TenantStore

    with opened() as (redis, settings):
        TenantStore(redis, settings).forget(tenant)


def _print(policies: dict[str, Policy], as_json: bool) -> None:
    if as_json:
        print_json({tenant: policy.model_dump(mode="json") for tenant, policy in policies.items()})
        return
    columns = ("tenant", "models", "requests a minute", "open jobs", "bytes", "compute seconds a day")
    print_table(columns, [_row(tenant, policy) for tenant, policy in policies.items()])


def _row(tenant: str, policy: Policy) -> tuple[str, ...]:
    bounds = (policy.requests, policy.jobs, policy.bytes, policy.compute_s)
    return tenant, ", ".join(policy.models), *(f"{bound:g}" if bound else "any" for bound in bounds)
