"""What the exit codes mean, and how an error becomes one sentence and one of them."""

from __future__ import annotations

import click

from explainery.client.problems import ClientError, JobFailed, ServiceError, WaitTimedOut
from explainery.contract.errors import (
    ExplaineryError,
    JobGone,
    JobNotFound,
    KeyNotFound,
    QueueFull,
    RequestRefused,
    SettingsInvalid,
    StoreUnavailable,
)
from explainery.supervisor.failures import CannotStart

OK, FAILED, USAGE, REFUSED, UNREACHABLE, TIMED_OUT = range(6)

HELP = """\b
Exit codes:
  0  done
  1  the job failed, or a check found faults
  2  wrong usage or settings
  3  the service refused the request
  4  the service cannot be reached, is not ready, or cannot be started
  5  the job had not ended in the time given
"""


class Failure(click.ClickException):
    """An error as the shell sees it: one sentence on standard error, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code: int = exit_code  # type: ignore[misc]  # click declares it on the class, and reads it from the instance


def failure(error: Exception) -> Failure | None:
    """The failure an error of ours becomes; None for an error of the code."""
    code = _code(error)
    return None if code is None else Failure(_sentence(error), code)


def _code(error: Exception) -> int | None:
    match error:
        case WaitTimedOut():
            return TIMED_OUT
        case JobFailed():
            return FAILED
        case ServiceError():
            return REFUSED if error.refused else UNREACHABLE
        case ClientError() | CannotStart() | StoreUnavailable() | QueueFull():
            return UNREACHABLE
        case JobNotFound() | JobGone() | KeyNotFound() | RequestRefused():
            return REFUSED
        case SettingsInvalid():
            return USAGE
        case ExplaineryError():
            return FAILED
    return None


def _sentence(error: Exception) -> str:
    if not isinstance(error, ServiceError):
        return str(error)
    faults = "".join(f"\n  {fault.get('loc')}: {fault.get('msg')}" for fault in error.errors if fault.get("msg"))
    repeated = all(fault.get("msg", "") in error.detail for fault in error.errors)
    return f"{error.detail} ({error.code}){'' if repeated else faults}"
