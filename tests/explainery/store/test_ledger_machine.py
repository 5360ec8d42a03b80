"""Any order of steps, at any time: no job is lost, none is ended twice, and every list agrees with the records.

EXPLAINERY_STEPS=10000 makes it thorough.
"""

import os

import pytest
from hypothesis.stateful import run_state_machine_as_test
from ledger_machine import SETTINGS, LedgerMachine, thorough

STEPS = int(os.environ.get("EXPLAINERY_STEPS", "1000"))


@pytest.mark.timeout(900)
def test_any_order_of_steps_keeps_the_ledger_whole(ledger_with):
    class Machine(LedgerMachine):
        ledger = ledger_with(**SETTINGS)
        steps = 0

    run_state_machine_as_test(Machine, settings=thorough(STEPS))
    assert Machine.steps >= STEPS
