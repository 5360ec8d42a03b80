"""Workers started by hand, without a supervisor, on a Redis of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from explainery.settings import Settings
from explainery.supervisor.commands import worker_command, worker_environment, worker_identity

END_S = 60.0


class LoneWorkers:
    """Worker processes that look for models in `<home>/models`."""

    def __init__(self, home: Path, redis_url: str, **environment: str) -> None:
        self.home = home
        self.settings = Settings(home=home, redis_url=redis_url)
        self._environment = {"EXPLAINERY_HOME": str(home), **environment}
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, program: str = "") -> subprocess.Popen[bytes]:
        """One more. `program`: Python that is run first, in the same process."""
        identity = worker_identity()
        command = worker_command(identity, "info")
        if program:
            command = [sys.executable, "-c", f"{program}\nfrom celery.__main__ import main\nmain()", *command[3:]]
        environment = {
            **os.environ,
            **worker_environment(self.settings, self.settings.redis_url, identity),
            **self._environment,
        }
        with (self.home / f"{identity}.log").open("wb") as log:
            self._started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return self._started[-1]

    def stop(self) -> None:
        """Ask all that live to leave, and see that they do."""
        living = [process for process in self._started if process.poll() is None]
        for process in living:
            process.terminate()
        for process in living:
            assert process.wait(timeout=END_S) == 0
