"""The `[remote]` table of a card: where a model of format "remote" is served, and how it is to be asked."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SECRET_PREFIX = "EXPLAINERY_SECRET_"  # noqa: S105  # how the variables that hold secrets begin
"""A card may name these variables only: it must not be able to send away what else a worker knows."""

_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|[0-9a-f:.]+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET = re.compile(re.escape(SECRET_PREFIX) + r"[A-Z0-9_]+")
_OURS = {"host", "content-type", "content-length", "transfer-encoding", "connection", "accept", "accept-encoding",
         "inference-header-content-length", "expect", "te", "trailer", "upgrade"}  # fmt: skip
"""Headers that the protocol sets."""


class RemoteSpec(BaseModel):
    """Who answers for the model. The paths of the protocol are appended to `url`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    protocol: Literal["v2", "v1"] = "v2"
    """v2: the Open Inference Protocol (KServe, Triton, MLServer). v1: KServe V1 (`:predict`)."""
    model: str = Field(min_length=1, max_length=256)
    """The model's name on the far side."""
    version: str | None = Field(default=None, min_length=1, max_length=64)
    """Its version there; the far side's own choice when there is none."""
    binary: bool = False
    """Protocol v2: send and ask for tensors as bytes (the binary tensor data extension)."""
    headers: dict[str, str] = {}
    """Header -> the name of the variable that holds its value (or `<name>_FILE` the path of a file that does)."""
    batch: int = Field(default=32, ge=1, le=65536)
    """Most rows of one request."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Most requests at a time, of one worker."""
    timeout_s: float = Field(default=10.0, gt=0, le=600)
    """How long one request may take, from connecting to the last byte."""
    retries: int = Field(default=2, ge=0, le=10)
    """How often one request is tried again before the job is given back."""

    @property
    def host(self) -> str:
        """The host, lower case, without brackets or the dot at the end."""
        return str(self._parts.hostname).rstrip(".")

    @property
    def port(self) -> int:
        """The port, that of the scheme where the address names none."""
        return self._parts.port or (443 if self._parts.scheme == "https" else 80)

    def address(self, path: str) -> str:
        """The address of a path of the protocol."""
        return f"{self.url.rstrip('/')}/{path}"

    @property
    def path(self) -> str:
        """The model's path: `v2/models/<name>`, with `/versions/<version>` where the card names one."""
        version = f"/versions/{quote(self.version, safe='')}" if self.version else ""
        return f"{self.protocol}/models/{quote(self.model, safe='')}{version}"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        """An address without anything secret in it. The messages do not repeat it."""
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("url must be plain ASCII; write international names in their xn-- form")
        try:
            parts = urlsplit(url)
            named = parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
        except ValueError:
            named = None
        if not named or parts.scheme not in ("http", "https"):
            raise ValueError('url must be "http(s)://host", with a port and a path if need be')
        if "@" in parts.netloc:
            raise ValueError("url must not hold a user or password: cards are shown to clients; use headers")
        if parts.query or parts.fragment or url.endswith(("?", "#")):
            raise ValueError("url must not have a query or fragment; keys belong into headers")
        return url

    @field_validator("headers")
    @classmethod
    def _named_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for header, variable in headers.items():
            if not _HEADER.fullmatch(header) or header.lower() in _OURS:
                raise ValueError("headers may not name what the protocol sets itself, or what is no header's name")
            if not _SECRET.fullmatch(variable):
                raise ValueError(
                    f"headers map a header's name to the name of a variable {SECRET_PREFIX}..., which holds its value; "
                    "never the value itself"
                )
        return headers

    @model_validator(mode="after")
    def _consistent(self) -> RemoteSpec:
        if self.binary and self.protocol == "v1":
            raise ValueError('binary tensors need protocol = "v2"')
        return self
