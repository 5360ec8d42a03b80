"""An estimate for people."""

from __future__ import annotations

import click

from explainery.cli.printing import print_json
from explainery.contract.calls import Count
from explainery.contract.estimate import Estimate

_FROM = {
    "method": "learned from {} runs of the method on this model",
    "model": "learned from {} runs of other methods on this model",
    "prior": "a guess: nothing has run on this model yet",
}


def print_estimate(estimate: Estimate, as_json: bool) -> None:
    """Print what a job would cost."""
    if as_json:
        print_json(estimate.model_dump(mode="json"))
        return
    click.echo(f"model evaluations     {_count(estimate.model_evaluations)}")
    click.echo(f"gradient evaluations  {_count(estimate.gradient_evaluations)}")
    click.echo(f"seconds               {estimate.seconds:.3g} ({_FROM[estimate.seconds_from].format(estimate.runs)})")
    if estimate.memory_bytes is not None:
        click.echo(f"memory                {estimate.memory_bytes / 2**20:.3g} MiB")
    click.echo(f"wait                  {estimate.queue_s + estimate.load_s:.3g} s")


def _count(count: Count) -> str:
    if count.exact or count.at_most == 0:
        return str(count.expected)
    most = "" if count.at_most is None else f", at most {count.at_most}"
    return f"about {count.expected}{most}"
