"""Talking to the service from Python: submit, wait, result."""

from explainery.client.async_client import AsyncClient
from explainery.client.client import Client
from explainery.client.events import Event
from explainery.client.outcome import ExplanationResult
from explainery.client.problems import BatchNotEnded, ClientError, JobFailed, ServiceError, ServiceUnreachable, WaitTimedOut

__all__ = [
    "AsyncClient",
    "BatchNotEnded",
    "Client",
    "ClientError",
    "Event",
    "ExplanationResult",
    "JobFailed",
    "ServiceError",
    "ServiceUnreachable",
    "WaitTimedOut",
]
