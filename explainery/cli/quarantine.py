"""`explainery jobs quarantined|release|drop`: jobs that workers died of."""

from __future__ import annotations

import click

from explainery.cli.ledger import quarantine
from explainery.cli.printing import print_json, print_table
from explainery.cli.service_url import json_option
from explainery.contract.job import Job


@click.command("quarantined")
@json_option
def list_jobs(as_json: bool) -> None:
    """List jobs that too many workers died of, newest first.

    Asks Redis itself, as `explainery worker` finds it.
    """
    with quarantine() as (jobs, _):
        found = jobs.jobs()
    if as_json:
        print_json([job.model_dump(mode="json") for job in found])
        return
    print_table(("id", "model", "method", "tenant", "since", "losses", "last exit", "last chunk"), map(_row, found))


@click.command("release")
@click.argument("job_id")
def release_job(job_id: str) -> None:
    """Give a job in quarantine another try.

    It enters the line as a new job, whose id is printed; the old id answers 410 from then on.
    """
    with quarantine() as (jobs, settings):
        from explainery.store.bell import Bell

        new_id, _, admission = jobs.release(job_id)
        Bell(settings).ring(admission.ring)
    click.echo(new_id)


@click.command("drop")
@click.argument("job_id")
def drop_job(job_id: str) -> None:
    """Delete a job in quarantine, with its inputs, for good."""
    with quarantine() as (jobs, _):
        jobs.drop(job_id)


def _row(job: Job) -> tuple[str, ...]:
    model = f"{job.model.name}@{job.model.version}"
    known = job.quarantine
    facts = (known.since, str(known.losses), known.last_exit or "-", known.last_chunk or "-") if known else ("-",) * 4
    return job.id, model, job.method, job.tenant or "-", *facts
