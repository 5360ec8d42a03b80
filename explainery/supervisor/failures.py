"""Why something cannot be started, in a sentence that says what to do."""

from __future__ import annotations


class CannotStart(Exception):
    """A part of the service cannot be started here and now. The message is for people."""
