"""Finds plugins: scans the four folders, and the operator's plugin folders, once at boot."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import workers
from workers.plugins import AnyMethod, CheckPlugin, ModalityPlugin, RuntimePlugin

REQUIRED = {
    "methods": ("SPEC",),
    "runtimes": ("SPEC", "refuses", "load"),
    "modalities": ("decode", "groups", "baseline"),
    "checks": ("SPEC", "check", "cost"),
}
"""What a plugin file of each family must define."""
BY_LEVEL = {"row": ("explain", "cost"), "job": ("explain_job", "job_cost")}
"""What a method must define besides, by its level."""


class PluginError(Exception):
    """A plugin file cannot be used; the message names the file and the fault."""


@dataclass(frozen=True)
class Registry:
    """Every plugin by name."""

    methods: dict[str, AnyMethod]
    runtimes: dict[str, RuntimePlugin]
    modalities: dict[str, ModalityPlugin]
    checks: dict[str, CheckPlugin] = field(default_factory=dict)

    def runtime_of(self, file_format: str) -> RuntimePlugin | None:
        """The runtime that loads a format."""
        return next((runtime for runtime in self.runtimes.values() if file_format in runtime.SPEC.formats), None)


def discover(folders: Sequence[str] = (), methods_off: Sequence[str] = ()) -> Registry:
    """Find every plugin of `workers/` and of the plugin folders (each with methods/, runtimes/, modalities/ or checks/).

    `methods_off`: names of methods to leave out.
    Raises PluginError when a folder is not there, a file cannot be imported or lacks a required name, two plugins share a name
    or a format, or a method that should be left out is none: it would stay on offer under its right name.
    """
    methods = cast(dict[str, AnyMethod], _family("methods", folders))
    unknown = sorted(set(methods_off) - set(methods))
    if unknown:
        raise PluginError(f"EXPLAINERY_METHODS_OFF names {', '.join(unknown)}; methods are: {', '.join(sorted(methods))}")
    return Registry(
        methods={name: method for name, method in methods.items() if name not in methods_off},
        runtimes=_runtimes(folders),
        modalities=cast(dict[str, ModalityPlugin], _family("modalities", folders)),
        checks=cast(dict[str, CheckPlugin], _family("checks", folders)),
    )


def discover_runtimes(folders: Sequence[str] = ()) -> Registry:
    """The runtimes alone: what loading a model needs. Raises PluginError as `discover` does."""
    return Registry(methods={}, runtimes=_runtimes(folders), modalities={})


def _runtimes(folders: Sequence[str]) -> dict[str, RuntimePlugin]:
    found = cast(dict[str, RuntimePlugin], _family("runtimes", folders))
    _check_formats(found)
    return found


def _family(family: str, folders: Sequence[str]) -> dict[str, Any]:
    found: dict[str, ModuleType] = {}
    for module in (*_own(family), *_dropped_in(family, folders)):
        missing = [name for name in _required(family, module) if not hasattr(module, name)]
        if missing:
            raise PluginError(f"{module.__file__}: a file in {family}/ must define {', '.join(missing)}")
        name = module.SPEC.name if "SPEC" in REQUIRED[family] else module.__name__.rpartition(".")[2]
        if name in found:
            raise PluginError(f"{module.__file__} and {found[name].__file__} are both called {name!r}: rename one")
        found[name] = module
    return found


def _required(family: str, module: ModuleType) -> tuple[str, ...]:
    by_level = BY_LEVEL[getattr(getattr(module, "SPEC", None), "level", "row")] if family == "methods" else ()
    return (*REQUIRED[family], *by_level)


def _check_formats(runtimes: dict[str, RuntimePlugin]) -> None:
    taken: dict[str, str] = {}
    for name, runtime in runtimes.items():
        for file_format in runtime.SPEC.formats:
            other = taken.setdefault(file_format, name)
            if other != name:
                raise PluginError(f"The runtimes {other!r} and {name!r} both load format {file_format!r}: take it out of one")


def _own(family: str) -> Iterator[ModuleType]:
    folder = Path(workers.__file__).parent / family
    for entry in sorted(pkgutil.iter_modules([str(folder)]), key=lambda entry: entry.name):
        yield importlib.import_module(f"workers.{family}.{entry.name}")


def _dropped_in(family: str, folders: Sequence[str]) -> Iterator[ModuleType]:
    for folder in folders:
        place = Path(folder).expanduser().absolute()
        if not place.is_dir():
            raise PluginError(f"EXPLAINERY_PLUGINS names {folder}, which is no folder")
        for path in sorted(place.glob(f"{family}/[!_]*.py")):
            yield _imported(path)


def _imported(path: Path) -> ModuleType:
    """A file as a module of its own: files of one name in two folders do not meet."""
    place = hashlib.blake2b(str(path.parent).encode(), digest_size=8).hexdigest()
    name = f"explainery_plugins_{place}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} cannot be imported")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PluginError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module
