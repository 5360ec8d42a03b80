"""`python -m benchmarks [NAME...]`: those named, or all of them: see `ALL`."""

from __future__ import annotations

import importlib
import os
import sys

from explainery.supervisor.commands import tuning

ALL = (
    "shapley_error",
    "agreement",
    "tree_speed",
    "engine_speed",
    "inside_speed",
    "onnx_speed",
    "service_speed",
    "streams",
    "estimates",
    "memory",
    "intervals",
    "completeness",
    "quality_verdicts",
    "counterfactuals",
    "batches",
)


def main(names: list[str]) -> None:
    """Run the named benchmarks, each printing its tables."""
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        sys.exit(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(ALL)}")
    wanted = tuning()  # as the supervisor starts workers; the peers run in the same process, under the same settings
    if any(os.environ.get(key) != value for key, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *names], {**os.environ, **wanted})  # noqa: S606
    for name in names or ALL:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
