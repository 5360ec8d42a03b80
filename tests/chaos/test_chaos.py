"""Everything is killed, again and again: what was accepted comes out right, and once.

A short run is part of every test run; `make chaos` makes 20 long ones. A run is its seed: EXPLAINERY_CHAOS_SEED=7 is it again.
"""

from __future__ import annotations

import os

import pytest
from proxy import Proxy
from storm import Plan, Report, Storm, write_models

LEASE_S = 2.0
SHORT = Plan(jobs=60, workers=2, redis=1, api=1, stops=1)
LONG = Plan(jobs=400, workers=20, redis=3, api=3, stops=1, cuts=2)
UNLUCKY = {"MAX_ATTEMPTS": "20"}
"""So many workers are killed that a job may be in hand three times by chance, and would be put aside for it."""
IS_LONG = "EXPLAINERY_CHAOS_RUNS" in os.environ


@pytest.mark.timeout(900 if IS_LONG else 180)
def test_nothing_is_lost_stuck_or_done_twice(seed, stack_of, request, record_property, capsys):
    if not IS_LONG:
        report = Storm(stack_of(write_models, **UNLUCKY), SHORT, seed, LEASE_S).run()
    elif seed % 2:  # the embedded Redis, which `up` brings back; nothing can stand between it and its clients
        plan = Plan(**{**vars(LONG), "cuts": 0})
        report = Storm(stack_of(write_models, **UNLUCKY), plan, seed, LEASE_S).run()
    else:
        report = behind_a_proxy(seed, stack_of, request)
    record_property("chaos", report.row)
    if IS_LONG:
        with capsys.disabled():
            print(f"\n{report.row}", flush=True)  # noqa: T201  a long run says how far it is
    again = f"EXPLAINERY_CHAOS_SEED={seed} EXPLAINERY_CHAOS_RUNS=1" if IS_LONG else f"EXPLAINERY_CHAOS_SEED={seed}"
    assert report.clean, f"{again} does it again\n{Report.HEAD}\n{report.row}"
    assert report.stale or report.dropped, "a stopped worker went on and nobody told it that its job was another's"


def behind_a_proxy(seed: int, stack_of, request) -> Report:
    """A Redis that is not the supervisor's, and a network between."""
    server = request.getfixturevalue("redis_server")
    request.getfixturevalue("redis_url")  # it runs and is empty
    proxy = request.getfixturevalue("outside").enter_context(Proxy(server.port))
    stack = stack_of(write_models, **UNLUCKY, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
    return Storm(stack, LONG, seed, LEASE_S, server, proxy).run()
