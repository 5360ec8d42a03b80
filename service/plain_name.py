"""A part of a path that no other route means."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class PlainName(BaseConverter):
    """A name without a colon: `<name>:explain` and the like are verbs of their own."""

    regex = "[^/:]+"
