"""Files that results are saved to, by their suffix."""

from __future__ import annotations

from pathlib import Path

import click

MEDIA_TYPES = {".npz": "application/x-npz", ".json": "application/json", ".safetensors": "application/vnd.safetensors"}
FILE = click.Path(path_type=Path, dir_okay=False)


def output_file(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """A path whose suffix says what to write."""
    if path is not None and path.suffix not in MEDIA_TYPES:
        raise click.BadParameter(f"must end in {', '.join(MEDIA_TYPES)}")
    return path
