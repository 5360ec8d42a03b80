"""Explainery answers *why did the model say that?* as a service.

`Client` and what it gives back are imported when they are first used: this package alone needs no Redis, Flask, Celery or
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explainery.client import AsyncClient as AsyncClient
    from explainery.client import Client as Client
    from explainery.client import ClientError as ClientError
    from explainery.client import ExplanationResult as ExplanationResult
    from explainery.client import JobFailed as JobFailed
    from explainery.client import ServiceError as ServiceError
    from explainery.client import ServiceUnreachable as ServiceUnreachable
    from explainery.client import WaitTimedOut as WaitTimedOut

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ExplanationResult",
    "JobFailed",
    "ServiceError",
    "ServiceUnreachable",
    "WaitTimedOut",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("explainery.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
