"""The child: `python -P -m workers.trial`, a parcel on standard input; says `ready`, then the verdict as JSON."""

from __future__ import annotations

import os
import sys

from workers.trial.cage import cut_off


def main() -> None:
    """Try one model, say what came of it, and end without running anything else of it."""
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever a model prints is not the answer
    cut_off()
    from workers.trial.child import begin  # only now: what this imports starts threads

    judge = begin(sys.stdin.buffer)
    os.write(answer, b"ready\n")
    os.write(answer, judge().model_dump_json().encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
