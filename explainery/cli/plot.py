"""`explainery plot`."""

from __future__ import annotations

from pathlib import Path

import click

from explainery.cli.service_url import connect, url_option

_FORMS = (".svg", ".png", ".html", ".json")


def _output(ctx: click.Context, param: click.Parameter, path: Path) -> Path:
    if path.suffix not in _FORMS:
        raise click.BadParameter(f"must end in {', '.join(_FORMS)}")
    return path


@click.command()
@click.argument("job_id")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), callback=_output,
    help="Where to: .svg, .png, .html or .json.",
)  # fmt: skip
@click.option("--kind", default="auto", show_default=True, help="heatmap, tokens, waterfall, bars...; see docs/figures.md.")
@click.option("--row", type=click.IntRange(0), default=0, show_default=True, help="Which of the job's rows.")
@click.option("--input", "input_name", help="Which input, of a model with several.")
@click.option("--layer", help="Which layer, of a method that looks at several.")
@click.option("--head", type=click.IntRange(0), help="Which head, of attention.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0, min_open=True), help="Seconds to wait at most for the job's end."
)
@url_option
def command(
    url: str | None,
    job_id: str,
    output: Path,
    kind: str,
    row: int,
    input_name: str | None,
    layer: str | None,
    head: int | None,
    timeout_s: float | None,
) -> None:
    """Save a picture of a job's result, once the job has ended.

    Exits 1 when the job ended without a result, 3 when the kind does not fit (the message names those that do), 5 when it has
    not ended after --timeout.
    """
    with connect(url) as client:
        client.wait(job_id, timeout_s)
        content = client.figure(job_id, kind, output.suffix[1:], row=row, input=input_name, layer=layer, head=head)
    output.write_bytes(content)
    click.echo(str(output))
