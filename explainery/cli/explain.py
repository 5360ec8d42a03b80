"""`explainery explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from explainery.cli.asking import baseline_option, given, model_option, rows_option, target_option, timeout_option
from explainery.cli.costs import print_estimate
from explainery.cli.output_file import FILE, MEDIA_TYPES, output_file
from explainery.cli.printing import print_json
from explainery.cli.progress import bar
from explainery.cli.service_url import connect, json_option, url_option
from explainery.cli.values import assignments, checks
from explainery.client import Client, JobFailed, ServiceError
from explainery.contract.job import Job, JobState


@click.command()
@model_option
@click.option("--method", default="auto", show_default=True, help="See `explainery methods`.")
@rows_option
@target_option
@baseline_option
@click.option(
    "--param", "params", callback=assignments, multiple=True, help="name=value, a parameter of the method; may be repeated."
)
@click.option("--seed", type=click.IntRange(0), help="Seed of the method's random draws.")
@click.option(
    "--quality",
    callback=checks,
    help='Checks of each explanation, as "deletion,infidelity", or a JSON list; see `explainery methods --checks`.',
)
@click.option("--budget", type=click.IntRange(1), help="Model evaluations that the whole job may cost.")
@click.option("--deadline", "deadline_s", type=click.FloatRange(0, min_open=True), help="Seconds until the job must end.")
@click.option("--decision-id", help="The decision this explains, in your own records.")
@click.option("--estimate", is_flag=True, help="Say what the job would cost, and leave.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the result, or print the job and leave.")
@timeout_option
@click.option("--output", type=FILE, callback=output_file, help="Save the result: .npz, .json or .safetensors.")
@json_option
@url_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    url: str | None,
    as_json: bool,
    source: Path,
    params: dict[str, Any],
    estimate: bool,
    wait: bool,
    timeout_s: float | None,
    output: Path | None,
    **fields: Any,
) -> None:
    """Explain the rows of a file.

    Exits 1 when the job fails, 3 when the service refuses it, 5 when it has not ended after --timeout.
    """
    from explainery.cli.input_file import read

    asked = given(ctx, fields)
    with connect(url) as client:
        if estimate:
            print_estimate(client.estimate(inputs=read(source), params=params, **asked), as_json)
            return
        job = client.submit(inputs=read(source), params=params, **asked)
        if wait:
            _finish(client, job, timeout_s, output, as_json)
        elif as_json:
            print_json(job.model_dump(mode="json"))
        else:
            click.echo(job.id)


def _finish(client: Client, job: Job, timeout_s: float | None, output: Path | None, as_json: bool) -> None:
    with bar() as progress:
        job = client.wait(job, timeout_s, progress)
    if job.status is not JobState.SUCCEEDED:
        raise JobFailed(job)
    if output is not None:
        output.write_bytes(client.result_bytes(job, MEDIA_TYPES[output.suffix]))
    if as_json:
        print_json(json.loads(client.result_bytes(job, MEDIA_TYPES[".json"])))
    else:
        from explainery.cli.report import print_result

        print_result(client.result(job), _card(client, job))


def _card(client: Client, job: Job) -> dict[str, Any]:
    """The card of the version that answered, for names and units; empty when it is not offered any more."""
    try:
        versions = client.model(job.model.name)["versions"]
    except ServiceError:
        return {}
    return next((entry["card"] for entry in versions if entry["version"] == job.model.version), {})
