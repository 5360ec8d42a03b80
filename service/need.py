"""Whether any worker has the memory for a job's rows: known at the door, so that no worker dies of finding out."""

from __future__ import annotations

import math

from explainery.contract.errors import PayloadTooLarge
from service.rows import ANY, Rows

BYTES_PER_NUMBER = 40
"""An input's number once decoded (8 at most), and in the result: as attribution, stacked, packed, and on its way."""


def need_of(rows: Rows) -> int:
    """Bytes that a worker needs for all rows of a job, beside the model. What only a worker can tell counts as nothing."""
    known = (math.prod(shape) for shape in rows.shapes.values() if ANY not in shape)
    return rows.count * sum(known) * BYTES_PER_NUMBER


def check_room(rows: Rows, room_bytes: int | None) -> None:
    """Raise PayloadTooLarge when a job needs more than the largest worker has; None: no worker has said."""
    need = need_of(rows)
    if room_bytes is not None and need > room_bytes:
        most = max(1, rows.count * room_bytes // need)
        raise PayloadTooLarge(
            f"The job's rows take about {need} bytes in a worker, and the largest worker has {room_bytes}; "
            f"split it into jobs of at most {most} rows, or use a larger worker.",
            room_bytes,
        )
