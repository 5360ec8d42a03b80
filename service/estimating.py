"""What a job will cost, told before it enters; and whether that is more than it may. Pure: past runs are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explainery.contract import pace
from explainery.contract.calls import Counts, Setting, at_least, checked, count, gone_on, guess
from explainery.contract.catalogue import CheckSpec, MethodSpec, ModelEntry
from explainery.contract.effort import effort_of, effort_of_checks
from explainery.contract.errors import OverBudget
from explainery.contract.estimate import Basis, Estimate, Run
from explainery.contract.job import DEFAULT_TENANT, JobSpec, ModelRef, Priority, Target
from explainery.contract.model_card import ModelCard
from explainery.contract.needed import likely_share
from explainery.contract.row_sizes import RowSizes
from explainery.contract.sampling import SAMPLES, samples_param
from explainery.store.runs import Kind, Past
from service.choice import Choice
from service.need import need_of
from service.rows import Rows

PastOf = Callable[[Kind], Past]
"""What is known of jobs of a kind."""
FEW = 5
"""Runs of a method on a model from which its seconds are believed when a job is refused for them."""
CLEARLY = 2.0
"""Times the deadline that the least work must take before the job is refused for it."""


def nothing(kind: Kind) -> Past:
    """Where nothing is known."""
    return Past()


@dataclass(frozen=True)
class Asked:
    """What a job's cost depends on. `backgrounds`: baselines of a row; None where only a worker can tell.

    `around`: those whose mean output is the baseline's, where they are more than stand for what is absent.
    """

    entry: ModelEntry
    choice: Choice
    rows: Rows
    targets: tuple[Target, ...]
    backgrounds: int | None
    priority: Priority
    device: str
    checks: tuple[tuple[CheckSpec, Mapping[str, Any]], ...] = ()
    tenant: str = DEFAULT_TENANT
    known: int | None = None
    """Calls of an earlier job, without those for outputs, whose answers this one goes on from."""
    around: int | None = None


def estimate_of(asked: Asked, past_of: PastOf) -> Estimate:
    """Calls, by the method's own formulas; seconds, learned from past runs; memory; and the wait."""
    entry, spec = asked.entry, asked.choice.spec
    sizes = RowSizes(entry.card, asked.rows.shapes, asked.rows.count, asked.choice.players)
    model = ModelRef(name=entry.name, version=str(entry.version), digest=entry.digest)
    past = past_of(Kind(model, asked.device, spec.name, sizes.key, asked.tenant))
    samples, runs_more = effort_of_checks(spec, asked.checks)
    counts = _counts(asked, sizes, past.of_method)
    if asked.known is not None:
        frames = asked.rows.count * (1 + (asked.around or 1))  # a budget pays for them where each call takes one baseline
        counts = gone_on(counts, asked.known, frames, frames if spec.one_baseline else 0)
    if asked.checks:
        counts = checked(counts, samples * asked.rows.count, runs_more)
    warm = pace.warm(past.of_method)
    prices, basis, runs = _prices(warm, past.of_model, entry.runtime)
    values, gradients = counts.values, counts.gradients
    expected = Run(values=values.expected, gradients=gradients.expected, rows=asked.rows.count, seconds=0.0)
    need = entry.verdict.need_bytes if entry.verdict else None
    return Estimate(
        model_evaluations=values,
        gradient_evaluations=gradients,
        seconds=round(pace.like(prices, warm, expected), 6),
        least_seconds=round(pace.like(prices, warm, expected.model_copy(update=_least(counts))), 6),
        seconds_from=basis,
        runs=runs,
        memory_bytes=need_of(asked.rows) + (need or 0) or None,
        queue_s=round(past.wait_s(asked.priority), 6),
        load_s=past.load_s,
        device=asked.device,
        shape=sizes.key,
    )


def budget_of(asked: int | None, spec: MethodSpec, estimate: Estimate, most: int) -> int | None:
    """A job's budget: what was asked for; where a method that samples might take more than `most` (0: any), that at most."""
    takes = estimate.expected if estimate.at_most is None else estimate.at_most
    if not most or samples_param(spec) is None or takes <= most:
        return asked
    return most if asked is None else min(asked, most)


def check_cost(job: JobSpec, most: int) -> None:
    """Raise OverBudget when even the least that a job needs is more than it may cost. `most`: evaluations; 0: any number."""
    estimate = job.estimate
    if estimate is None:
        return
    allowed = min((limit for limit in (job.budget, most or None) if limit is not None), default=None)
    if allowed is not None and estimate.least > allowed:
        whose = "what a job may cost here" if allowed == most else "its budget"
        detail = (
            f"The job needs at least {estimate.least} evaluations of the model, and {whose} is {allowed}: ask with fewer rows, "
            "smaller parameters or a cheaper method, or allow more."
        )
        raise OverBudget(detail, estimate.model_dump(mode="json"), "budget")
    learned = estimate.seconds_from == "method" and estimate.runs >= FEW
    if job.deadline_s is not None and learned and estimate.least_seconds > CLEARLY * job.deadline_s:
        detail = (
            f"The job takes about {estimate.least_seconds:.3g} s at least, and its deadline is {job.deadline_s:g} s: give it "
            "more time, or ask with fewer rows, smaller parameters or a cheaper method."
        )
        raise OverBudget(detail, estimate.model_dump(mode="json"), "deadline_s")


def _counts(asked: Asked, sizes: RowSizes, past: Sequence[Run]) -> Counts:
    spec, params = asked.choice.spec, asked.choice.params
    counted = None
    if spec.calls is not None:
        setting = Setting(
            rows=asked.rows.count,
            backgrounds=asked.backgrounds,
            around=asked.around,
            whole=spec.level == "job",
            one_baseline=spec.one_baseline,
            framed_first=_framed_first(spec, asked.entry.card, asked.targets),
        )
        counted = count(spec.calls, setting, sizes.look_up(params))
        most = None if counted is None else counted.at_most
        share = None if most is None else likely_share(past, most, asked.rows.count)
        if share is not None:
            counted = count(spec.calls, setting, sizes.look_up(params), share)
        few = samples_param(spec)
        if counted is not None and few is not None:  # it can end at any time, with what it knows by then
            sparing = count(spec.calls, setting, sizes.look_up(params | {SAMPLES: int(few.minimum or 1)}), 0.0)
            counted = counted if sparing is None else at_least(counted, sparing)
    if counted is not None:
        return counted
    return guess(effort_of(spec, params, asked.rows.count, asked.choice.players), gradients="values" not in spec.asks)


def _framed_first(spec: MethodSpec, card: ModelCard, targets: tuple[Target, ...]) -> bool:
    """Whether the outputs are asked for before the method begins, as the workers do (`workers/explaining.py`)."""
    known = card.score_output.columns is not None or all(target == "predicted" for target in targets)
    return spec.asks != ("internals",) or not known


def _prices(of_method: Sequence[Run], of_model: Sequence[Run], runtime: str) -> tuple[pace.Prices, Basis, int]:
    """Prices of the nearest runs there are, what they are of, and how many.

    First runs are among those of the model: they say more of a method that has not run than many runs of one other method.
    """
    above = pace.fit(of_model, pace.prior(runtime))
    if of_method:
        return pace.fit(of_method, above), "method", len(of_method)
    return above, ("model" if of_model else "prior"), len(of_model)


def _least(counts: Counts) -> dict[str, int]:
    return {"values": counts.values.least, "gradients": counts.gradients.least}
