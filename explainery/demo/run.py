"""The demo from training to the last Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from explainery import Client, ClientError
from explainery.demo import answers, curl, models, report
from explainery.demo.answers import Told
from explainery.demo.questions import QUESTIONS
from explainery.demo.service import NotStarted, Service, running
from explainery.settings import Settings


def run(settings: Settings, exit_after: bool) -> int:
    """Train what is missing, start the service, ask, print, draw; then serve on. Returns the exit code."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    repository = settings.home / "models"
    try:
        with _sigterm_as_ctrl_c():
            _train(console, repository)
            console.print("Starting Redis, a worker and the API …", style="dim")
            with running(settings, repository) as service:
                told = _ask(console, service, repository)
                _draw(console, told, settings.home / "demo")
                if not exit_after:
                    _serve_on(console, service, told)
    except KeyboardInterrupt:
        console.print("Stopped.")
    except (NotStarted, ClientError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    return 0


def _train(console: Console, repository: Path) -> None:
    begun = time.perf_counter()
    trained = []
    for name in models.prepare(repository):
        console.print(f"Training {name} …", style="dim")
        trained.append(name)
    if trained:
        console.print(f"Trained in {time.perf_counter() - begun:.0f} s and kept in {repository}.", style="dim", soft_wrap=True)


def _ask(console: Console, service: Service, repository: Path) -> list[Told]:
    told = []
    with Client(service.url) as client:
        for questions in QUESTIONS:
            told.append(answers.ask(client, repository, questions))
            report.show(console, told[-1])
    return told


def _draw(console: Console, told: list[Told], folder: Path) -> None:
    """A heat map for pictures, a waterfall for tables."""
    from explainery.demo import pictures

    for one in told:
        picture = one.card.inputs[0].modality == "image"
        draw, kind = (pictures.heat_map, "heat-map") if picture else (pictures.waterfall, "waterfall")
        console.print("Picture:", draw(one, folder / f"{kind}-{one.name}.png"), soft_wrap=True)


def _serve_on(console: Console, service: Service, told: list[Told]) -> None:
    """Keep serving until Ctrl-C, or until the service itself ends."""
    console.print(
        f"\nThe service keeps running at [bold]{service.url}[/] (its interface: {service.url}/docs). Ask it yourself:\n"
    )
    console.out(curl.line(service.url, told[-1]), highlight=False)
    console.print("\nCtrl-C ends it.")
    if service.process.wait() != 0:
        raise NotStarted("The service ended by itself; see its log in the folder of the pictures.")


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Whoever ends the demo, the service ends with it."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
