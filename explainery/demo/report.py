"""The demo's printed answers: per model the row, its top features by every method, and how far to trust them."""

from __future__ import annotations

import numpy as np
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from explainery.demo import words
from explainery.demo.answers import Answer, Told

TOP = 5
_VERDICTS = {"pass": "green", "warn": "yellow", "fail": "red"}


def show(console: Console, told: Told) -> None:
    """Print what was answered about one model."""
    title = f"[bold]{told.name}[/]  {told.card.title}"
    parts = Group(_prediction(told), Text(), _features(told, console.width), Text(), _quality(told), *_notes(told))
    console.print(Panel(parts, title=title, title_align="left"))


def _prediction(told: Told) -> Text:
    text = Text("A row the model has not seen: ")
    label, answer = told.label(0), told.answers[0].result
    text.append(label if label is not None else words.output(told.card, float(answer.instance_output[0])), "bold cyan")
    if told.probabilities is not None:
        text.append(f" with probability {told.probabilities[0]:.1%}")
    text.append(f". The truth: {told.truth(0)}.\n")
    name = words.quantity(told.card)
    before, after = (words.output(told.card, float(output[0])) for output in (answer.baseline_output, answer.instance_output))
    text.append(f"Explained: what takes the {name} from the baseline's {before} to this row's {after}.", "dim")
    return text


def _features(told: Told, width: int) -> Table:
    """The features that matter most to the first method, and what the others say of them."""
    spec = told.card.inputs[0]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("feature", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for answer in told.answers:
        table.add_column(answer.asked.method.replace("_", " "), min_width=9)
    blocks = min(8, max(0, (width - 56) // len(told.answers) - 12))
    for element in map(int, np.argsort(-np.abs(told.answers[0].attributions[0]))[:TOP]):
        cells = [_bar(told, answer, element, blocks) for answer in told.answers]
        table.add_row(words.feature(spec, element), words.value(spec, told.rows[0], element), *cells)
    return table


def _bar(told: Told, answer: Answer, element: int, blocks: int) -> Text:
    """The amount, and a bar as long as its share of the method's largest: blue raises the output, red lowers it."""
    amounts = answer.attributions[0]
    share = abs(amounts[element]) / (float(np.abs(amounts).max()) or 1.0)
    text = words.amount(told.card, float(amounts[element]))
    return Text.assemble(f"{text:>9} ", ("█" * round(blocks * share), "blue" if amounts[element] >= 0 else "red"))


def _quality(told: Told) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("method", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("completeness gap", justify="right", min_width=12)
    for heading in ("standard error", "calls"):
        table.add_column(heading, justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for answer in told.answers:
        table.add_row(*_quality_row(told, answer))
    return table


def _quality_row(told: Told, answer: Answer) -> tuple[Text | str, ...]:
    quality = answer.result.explanations[0].quality
    cost = answer.result.result.cost
    error = quality.standard_error
    return (
        answer.asked.method,
        Text(quality.verdict, _VERDICTS[quality.verdict]),
        "-" if quality.completeness_gap is None else f"{quality.completeness_gap:.2%}",
        "-" if error is None else words.amount(told.card, error).removeprefix("+"),
        str(cost.model_evaluations + cost.gradient_evaluations),
        f"{answer.seconds:.2f} s",
    )


def _notes(told: Told) -> list[Text]:
    """What the service wants a reader to know, method by method."""
    return [
        Text(f"{answer.asked.method}: {note}", "dim")
        for answer in told.answers
        for note in answer.result.explanations[0].quality.notes
    ]
