"""`python -m explainery.courier`: carries webhooks out until SIGTERM."""

from __future__ import annotations

import logging
import signal
from typing import Any

from explainery.courier.courier import Courier
from explainery.settings import load
from explainery.store.connection import connect
from explainery.store.webhooks import WebhookStore


def main() -> None:
    """Run the courier."""
    settings = load()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    redis = connect(settings)
    courier = Courier(WebhookStore(redis, settings), settings)

    def stop(*_: Any) -> None:
        courier.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    courier.run()
    redis.close()


if __name__ == "__main__":
    main()
