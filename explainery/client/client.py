"""The client that blocks. Its methods are the operations (`operations/every.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from explainery.client.credentials import headers_of
from explainery.client.operations.every import Operations
from explainery.client.transport import Transport


class Client(Operations):
    """A client of one service. Safe to share between threads; close it, or use it in a `with` block.

    Every method raises ServiceError for a problem the service states and ServiceUnreachable when nobody answers. `api_key`: an
    API key, or a token of your identity provider; EXPLAINERY_API_KEY (or the file that EXPLAINERY_API_KEY_FILE names) when not
    given. `timeout_s`: how long an answer may take; `retries`: how often what may be said twice is tried again; `headers`: go
    with every request.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.transport = Transport(base_url, timeout_s, retries, headers_of(api_key, headers))

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
