"""Options of the commands that ask for explanations, and which of them stand on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from explainery.cli.output_file import FILE
from explainery.cli.values import baseline, target

model_option = click.option("--model", required=True, help="name or name@version; see `explainery models list`.")
rows_option = click.option(
    "--input", "source", required=True, type=FILE, help="Rows to explain: .json, .npz, .csv, .png or .jpg."
)
target_option = click.option(
    "--target", callback=target, help="predicted, an output index, a label, or null for a single output."
)
baseline_option = click.option(
    "--baseline", callback=baseline, help="zeros, mean, blur, card, a number, or a JSON object: background, conditional."
)
timeout_option = click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0, min_open=True), help="Seconds to wait at most; exit code 5 after."
)


def given(ctx: click.Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those that stand on the command line: `--target null` means null, no `--target` means the default."""
    typed = click.core.ParameterSource.COMMANDLINE
    return {name: value for name, value in fields.items() if ctx.get_parameter_source(name) is typed}
