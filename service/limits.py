"""The `RateLimit` and `RateLimit-Policy` fields (draft-ietf-httpapi-ratelimit-headers-11), as lists of RFC 9651.

Four quotas: requests a minute, jobs that have not ended, bytes that are stored, seconds of compute a day. What has no bound
is not told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from explainery.store.tenants import Standing

MINUTE_S, DAY_S = 60, 86400


def limit_fields(standing: Standing) -> list[tuple[str, str]]:
    """The two fields; nothing where nothing is bounded."""
    told = list(_quotas(standing))
    if not told:
        return []
    return [("RateLimit-Policy", ", ".join(policy for policy, _ in told)), ("RateLimit", ", ".join(left for _, left in told))]


def _quotas(standing: Standing) -> Iterator[tuple[str, str]]:
    policy = standing.policy
    if policy.requests:
        yield f'"requests";q={policy.requests};w={MINUTE_S}', f'"requests";r={standing.left};t={math.ceil(standing.next_s)}'
    if policy.jobs:
        yield f'"jobs";q={policy.jobs};qu="jobs"', f'"jobs";r={max(policy.jobs - standing.jobs, 0)}'
    if policy.bytes:
        yield f'"bytes";q={policy.bytes};qu="content-bytes"', f'"bytes";r={max(policy.bytes - standing.bytes, 0)}'
    if policy.compute_s:
        left_s = max(math.floor(policy.compute_s - standing.spent_s - standing.open_s), 0)
        quota = f'"compute";q={math.ceil(policy.compute_s)};qu="seconds";w={DAY_S}'
        yield quota, f'"compute";r={left_s};t={math.ceil(standing.day_s)}'
