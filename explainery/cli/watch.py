"""`explainery watch`."""

from __future__ import annotations

import json

import click

from explainery.cli.service_url import connect, json_option, url_option
from explainery.client.events import Event


@click.command()
@click.argument("job_id", required=False)
@click.option("--after", metavar="EVENT", help="Go on behind the event of this id.")
@json_option
@url_option
def command(url: str | None, as_json: bool, job_id: str | None, after: str | None) -> None:
    """Show a job's changes as they come, until it has ended; without JOB_ID those of all jobs."""
    with connect(url) as client:
        for event in client.events(job_id, after=after):
            if as_json:
                click.echo(json.dumps({"type": event.type, "id": event.id, "time": event.time, "data": event.data}))
            else:
                click.echo(_line(event))


def _line(event: Event) -> str:
    progress = event.data.get("progress")
    if event.job is None:
        return str(event.data.get("detail", event.type))
    how = f"  {progress['done']} of {progress['total']} {progress['unit'].replace('_', ' ')}" if progress else ""
    return f"{event.time}  {event.job}  {event.type.partition('.')[2]}{how}"
