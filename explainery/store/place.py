"""A folder, or any fsspec URL, that files lie in; opened when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class Place:
    """What fsspec makes of a URL. What it raises is for who asks: OSError, and FileNotFoundError among them."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def files(self) -> Any:
        """The file system."""
        return self._opened[0]

    @property
    def root(self) -> str:
        """Where in it, without a slash at the end."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        files, root = fsspec.core.url_to_fs(self._url)
        return files, root.rstrip("/")
