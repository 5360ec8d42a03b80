"""The running estimate of a job, as it is published while the job is at work: one row, small, in the form of a result."""

from __future__ import annotations

from explainery.contract.tensors import pack_partial
from workers.batch import Batch
from workers.work import Work

MOST_BYTES = 256 * 2**10
"""Larger estimates are not published."""


def partial_of(batch: Batch, work: Work) -> bytes | None:
    """What is known of the first row that is not finished; None where that is nothing, or too large."""
    estimate = batch.estimate(work.id)
    if estimate is None:
        return None
    note = "A running estimate: the job is being worked on."
    result, arrays = work.found([estimate.answer], note)
    if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
        return None
    return pack_partial(result, arrays, row=estimate.row, rows_done=len(work.answers), evaluations=estimate.evaluations)
