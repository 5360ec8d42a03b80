"""How a worker process is asked to end, by the signals that operators know from Celery: in good order, or at once.

SIGTERM, or Ctrl-C: finish what is in hand within the grace, give back the rest. A second Ctrl-C, or SIGQUIT: give back
everything after the chunk that is being computed. Celery's own answer to the latter ends the model's call with an error, which
would be the job's.
"""

from __future__ import annotations

import signal
from types import FrameType

from celery.worker import state

_at_once = False


def asked() -> bool:
    """Whether this process was asked to end."""
    return state.should_stop is not None and state.should_stop is not False


def at_once() -> bool:
    """Whether it was asked not to wait for anything."""
    return _at_once


def mind_signals() -> None:
    """Take SIGINT and SIGQUIT over from Celery, which must have installed its handlers before. Main thread only."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGQUIT, _quit)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if asked():
        _quit(number, frame)
    state.should_stop = 0


def _quit(number: int, frame: FrameType | None) -> None:
    global _at_once
    _at_once = True
    state.should_stop = 0
