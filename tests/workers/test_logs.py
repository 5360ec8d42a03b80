"""A worker's log: one JSON object a line on standard error, whoever writes it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import dataclasses, logging, sys
import structlog
from explainery.settings import Settings
from workers.logs import configure_logs

configure_logs(dataclasses.replace(Settings(), log_level=sys.argv[1]))
log = structlog.get_logger()
log.debug("looked", job_id="1")
log.info("job_succeeded", job_id="1", model="a\\nb")
logging.getLogger("library").warning("told %s", "something")
logging.getLogger("celery.app.trace").info("Task succeeded")
try:
    raise ValueError("why")
except ValueError:
    log.exception("job_broke")
"""


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["looked", "job_succeeded", "told something", "job_broke"]),
        ("info", ["job_succeeded", "told something", "job_broke"]),
        ("warning", ["told something", "job_broke"]),
        ("error", ["job_broke"]),
    ],
)
def test_every_line_is_one_json_object(level: str, events: list[str]) -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT, level], capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in told.stderr.splitlines()]
    assert told.stdout == ""
    assert [line["event"] for line in lines] == events
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in lines)
    assert lines[-1]["kind"] == "ValueError"
    assert "<string>" in lines[-1]["where"][0]
    assert "why" not in told.stderr
