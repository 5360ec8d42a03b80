"""`explainery demo`: four really trained models, explained through the service, with pictures."""

from __future__ import annotations


def main(exit_after: bool = False) -> int:
    """Run the demo; return the process's exit code. `exit_after`: end after the answers instead of serving on.

    Workers import this package for its model factories, so everything else is imported here.
    """
    from explainery.demo.run import run
    from explainery.settings import load

    return run(load(), exit_after)
