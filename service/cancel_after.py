"""The `Cancel-After` header, as Replicate's API has it: seconds, or 90s, 5m, 1h30m, after which a job is canceled."""

from __future__ import annotations

import re

from explainery.contract.errors import RequestRefused

HEADER = "Cancel-After"
LONGEST_S = 366 * 86400
WRITTEN = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9}(?:\.\d{1,3})?)s?)?")


def read_cancel_after(header: str | None) -> float | None:
    """Seconds, None where there is no header. Raises RequestRefused."""
    if header is None:
        return None
    match = WRITTEN.fullmatch(header.strip().lower())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total = hours * 3600 + minutes * 60 + seconds
    if not 0 < total <= LONGEST_S:
        fault = {"loc": f"header.{HEADER}", "msg": "must be a time above 0 and up to a year: seconds, or like 90s, 5m, 1h30m"}
        raise RequestRefused(f"The header {HEADER} {fault['msg']}.", [fault])
    return total
