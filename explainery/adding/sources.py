"""Where a model comes from: files, folders of the hub, fsspec URLs, an MLflow registry. For the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from explainery.adding import hub_folder, mlflow_registry
from explainery.adding.draft import Draft
from explainery.adding.infer import STATE_DICTS
from explainery.contract.errors import ModelRefused


@dataclass
class Gathered:
    """Files by name, a name for the model, where it came from, and what its source says beyond the files."""

    files: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    source: str = ""
    labels: tuple[str, ...] = ()
    architecture: str = ""
    schema: Callable[[Draft], None] | None = None


def gather(sources: Sequence[str], revision: str | None = None) -> Gathered:
    """Fetch everything that is named; the first names the model. Raises ModelRefused."""
    gathered = Gathered()
    for source in sources:
        _fetch(source, revision, gathered)
        gathered.source = gathered.source or _without_secrets(source)
    return gathered


def _fetch(source: str, revision: str | None, gathered: Gathered) -> None:
    if source.startswith(mlflow_registry.SCHEME):
        _from_registry(source, gathered)
    elif "://" in source:
        _take(PurePosixPath(source.partition("?")[0]).name, _download(source), gathered)
    elif Path(source).is_dir():
        found = hub_folder.read(Path(source), revision)
        gathered.labels, gathered.architecture = found.labels, found.architecture
        gathered.source = f"{PurePosixPath(source).name}, commit {found.commit}"
        _take("model.safetensors", found.weights, gathered)
        if found.tokenizer is not None:
            _take("tokenizer.json", found.tokenizer, gathered)
    elif Path(source).is_file():
        _take(Path(source).name, Path(source).read_bytes(), gathered)
    else:
        raise ModelRefused(f"{source} is no file, no folder and no URL.")


def _from_registry(uri: str, gathered: Gathered) -> None:
    folder, signature = mlflow_registry.fetched(uri)
    path = mlflow_registry.model_file(folder)
    gathered.name = uri.removeprefix(mlflow_registry.SCHEME).replace("@", "/").split("/")[0]
    gathered.schema = mlflow_registry.schema(signature) if signature is not None else None
    _take(path.name, path.read_bytes(), gathered)


def _download(url: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(url, "rb") as file:
            content: bytes = file.read()
            return content
    except (OSError, ValueError, ImportError) as error:
        raise ModelRefused(
            f"{_without_secrets(url)} cannot be read ({type(error).__name__}); "
            "check it, and that its backend's package is installed."
        ) from None


def _take(name: str, content: bytes, gathered: Gathered) -> None:
    """Note a file; a state dict is converted to safetensors on the way."""
    path = PurePosixPath(name)
    if path.suffix.lower() in STATE_DICTS:
        name, content = f"{path.stem}.safetensors", _converted(content)
    if name in gathered.files:
        raise ModelRefused(f"Two files are called {name}.")
    gathered.name = gathered.name or path.stem
    gathered.files[name] = content


def _converted(content: bytes) -> bytes:
    from explainery.adding.state_dict import converted

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return converted(Path(file.name))


def _without_secrets(source: str) -> str:
    """A URL without user, password and query: cards and messages are read by others."""
    scheme, separator, rest = source.partition("://")
    if not separator:
        return PurePosixPath(source).name if Path(source).exists() else source
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
