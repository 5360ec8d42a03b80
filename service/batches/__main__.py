"""`python -m service.batches`: drives batches until SIGTERM."""

from __future__ import annotations

import logging
import signal
from typing import Any

from explainery.settings import load
from service.batches.coordinator import Coordinator


def main() -> None:
    """Run the coordinator."""
    settings = load()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    coordinator = Coordinator(settings)

    def stop(*_: Any) -> None:
        coordinator.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    coordinator.run()


if __name__ == "__main__":
    main()
