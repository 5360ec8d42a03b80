"""`explainery jobs list|show|result|cancel|forget|refine|partial`; `quarantine.py` has the others."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from explainery.cli import quarantine
from explainery.cli.output_file import FILE, MEDIA_TYPES, output_file
from explainery.cli.printing import plain, print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option
from explainery.contract.job import Job, JobState


@click.group()
def command() -> None:
    """List, show and cancel jobs; look after those in quarantine."""


for _command in (quarantine.list_jobs, quarantine.release_job, quarantine.drop_job):
    command.add_command(_command)


@command.command("list")
@click.option("--status", type=click.Choice([str(state) for state in JobState]), help="Only jobs in this state.")
@click.option("--model", help="Only jobs on this model.")
@click.option("--decision-id", help="Only jobs of this decision.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@json_option
@url_option
def list_jobs(
    url: str | None, as_json: bool, status: str | None, model: str | None, decision_id: str | None, limit: int
) -> None:
    """List jobs, newest first."""
    with connect(url) as client:
        found = list(islice(client.jobs(status=status, model=model, decision_id=decision_id), limit))
    if as_json:
        print_json([job.model_dump(mode="json") for job in found])
        return
    columns = ("id", "status", "model", "method", "rows", "created", "decision")
    print_table(columns, map(_row, found))


@command.command("show")
@click.argument("job_id")
@json_option
@url_option
def show_job(url: str | None, as_json: bool, job_id: str) -> None:
    """Show one job."""
    with connect(url) as client:
        _print(client.job(job_id), as_json)


@command.command("result")
@click.argument("job_id")
@click.option("-o", "--output", required=True, type=FILE, callback=output_file, help="Where to: .npz, .json or .safetensors.")
@url_option
def save_result(url: str | None, job_id: str, output: Path) -> None:
    """Save the result of a job that succeeded."""
    with connect(url) as client:
        output.write_bytes(client.result_bytes(job_id, MEDIA_TYPES[output.suffix]))
    click.echo(str(output))


@command.command("forget")
@click.argument("job_id")
@url_option
def forget_job(url: str | None, job_id: str) -> None:
    """Delete a job, its inputs and its result for good."""
    with connect(url) as client:
        client.forget(job_id)


@command.command("cancel")
@click.argument("job_id")
@json_option
@url_option
def cancel_job(url: str | None, as_json: bool, job_id: str) -> None:
    """Cancel a job that has not ended."""
    with connect(url) as client:
        _print(client.cancel(job_id), as_json)


@command.command("refine")
@click.argument("job_id")
@click.option("--samples", type=click.IntRange(0), default=0, help="Samples that each row may take in addition.")
@click.option("--tolerance", type=click.FloatRange(0), help="Stop at this error figure; 0: use all samples.")
@click.option("--budget", type=click.IntRange(1), help="Model evaluations that this may cost.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=0.0, help="Seconds to wait for its end.")
@json_option
@url_option
def refine_job(
    url: str | None, as_json: bool, job_id: str, samples: int, tolerance: float | None, budget: int | None, wait_s: float
) -> None:
    """Go on from a job that succeeded: a new job, which answers for all samples together."""
    asked = {name: value for name, value in (("tolerance", tolerance), ("budget", budget)) if value is not None}
    with connect(url) as client:
        _print(client.refine(job_id, samples=samples, wait_s=wait_s, **asked), as_json)


@command.command("partial")
@click.argument("job_id")
@url_option
def show_partial(url: str | None, job_id: str) -> None:
    """Show the running estimate of a job at work, as JSON."""
    with connect(url) as client:
        print_json(client.partial(job_id))


def _row(job: Job) -> tuple[str, ...]:
    model = f"{job.model.name}@{job.model.version}"
    return job.id, job.status, model, job.method, str(job.rows), job.created_at, job.decision_id or ""


def _print(job: Job, as_json: bool) -> None:
    if as_json:
        print_json(job.model_dump(mode="json"))
        return
    click.echo(f"{job.id}  {job.status}  {job.model.name}@{job.model.version}  {job.method}  {job.rows} rows")
    for label, moment in (("created", job.created_at), ("started", job.started_at), ("finished", job.finished_at)):
        click.echo(f"  {label:<9} {moment or '-'}")
    if job.progress:
        click.echo(f"  progress  {job.progress.done} of {job.progress.total} {job.progress.unit.replace('_', ' ')}")
    if job.error:
        click.echo(f"  error     {plain(job.error.detail)} ({job.error.code})")
