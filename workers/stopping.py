"""How a sampling method is stopped: the answer it waits for comes short, and it says what is known so far.

A method that can stop asks with `asked`; what it knows too little to answer, it raises `Stop` for.
"""

from __future__ import annotations

from collections.abc import Generator

from workers.questions import Answer, Question


class Stop(Exception):
    """Thrown into a method at its question: no more answers come. `answered`: the answer to the question's beginning, or None.

    Raised by a method: so little is known that there is no estimate.
    """

    def __init__(self, answered: Answer = None) -> None:
        super().__init__("no more answers come")
        self.answered = answered


def asked(question: Question) -> Generator[Question, Answer, tuple[Answer, bool]]:
    """Ask; the answer, and whether more may be asked. The last answer may be that to the question's beginning, or None."""
    try:
        return (yield question), True
    except Stop as stop:
        return stop.answered, False
