"""The machine of `test_ledger_machine.py` is worth something: it finds bugs that are planted in the Lua."""

import pytest
from hypothesis import Phase
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from ledger_machine import SETTINGS, LedgerMachine, thorough

from explainery.store import scripting

LEASE = "  redis.call('ZADD', key('running'), now + LEASE, job.id)\n  redis.call('SADD'"
RING = "if (silent or not rung or now - rung > AGAIN) and ring(ANYBODY, BELLS) then"
LEAVE = "if job.state == 'queued' then leave_spot(job) elseif job.state == 'running' then"
COUNT = "if to == 'running' then add('running_of', job.tenant, 1) end"
PLANTED = {
    "no fence check": ("finish", " or job.fence ~= ARGV[3] then", " then"),
    "no lease on claim": ("claim", LEASE, "  redis.call('SADD'"),
    "no bell after reap": ("reap", RING, "if false then"),
    "lost list entry on cancel": ("prelude", LEAVE, "if job.state == 'running' then"),
    "double count": ("prelude", COUNT, f"{COUNT}\n  {COUNT}"),
}
QUICK = thorough(8000, phases=(Phase.generate,), derandomize=True, report_multiple_bugs=False)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name, ledger_with, monkeypatch):
    script, right, wrong = PLANTED[name]
    read = scripting._read
    assert read(script).count(right) == 1, "the place has changed: plant the bug anew"
    monkeypatch.setattr(scripting, "_read", lambda asked: read(asked).replace(right, wrong) if asked == script else read(asked))

    class Machine(LedgerMachine):
        ledger = ledger_with(**SETTINGS)

    with pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(Machine, settings=QUICK)
