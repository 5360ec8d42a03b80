"""Logs: one JSON object a line on standard error. Ids, routes, statuses and times; never an input value."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import structlog

from explainery.settings import Settings

LOGGER = "explainery.service"


def request_log() -> Any:
    """The logger of the API. Its lines are finished JSON; `logging_config` says where they go."""
    return structlog.wrap_logger(
        logging.getLogger(LOGGER),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_json),
        ],
    )


def logging_config(settings: Settings) -> dict[str, Any]:
    """Configuration for `logging.config.dictConfig`: the API's lines as they are, everybody else's as JSON too."""
    level = settings.log_level.upper()
    others = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    }
    handlers = {
        name: {"class": "logging.StreamHandler", "formatter": name, "stream": "ext://sys.stderr"} for name in ("plain", "json")
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(message)s"}, "json": others},
        "handlers": handlers,
        "root": {"level": level, "handlers": ["json"]},
        "loggers": {
            LOGGER: {"level": level, "handlers": ["plain"], "propagate": False},
            # its debug lines are paths, and a path may name what a client chose
            "gunicorn.error": {"level": "INFO" if level == "DEBUG" else level, "handlers": ["json"], "propagate": False},
        },
    }


def _json(event: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
