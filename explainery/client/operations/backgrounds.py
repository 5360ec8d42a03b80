"""Background sets, stored once and named by their digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.client.body import rows
from explainery.client.operations.paths import path
from explainery.client.steps import Send, Steps, read, write

if TYPE_CHECKING:
    from explainery.client.body import Inputs

_BACKGROUNDS = "/v1/backgrounds"


def store_background(model: str, inputs: Inputs) -> Steps[str]:
    """Store a background set; its id, for `baseline={"background": {"id": ...}}`. Kept a while after its last use.

    The same rows again are the same set, so it is tried again where a connection breaks.
    """
    body = {"model": model, "rows": rows(inputs)["instances"]}
    response = yield Send("POST", _BACKGROUNDS, again=True, options={"json": body})
    return str(response.json()["id"])


def backgrounds() -> Steps[list[str]]:
    """The ids of the background sets that are stored, the last used first."""
    return list((yield read(_BACKGROUNDS)).json()["backgrounds"])


def background(background_id: str) -> Steps[dict[str, Any]]:
    """What a stored background set holds: how many rows, of which shapes."""
    return dict((yield read(path("v1", "backgrounds", background_id))).json())


def forget_background(background_id: str) -> Steps[None]:
    """Delete a stored background set."""
    yield write("DELETE", path("v1", "backgrounds", background_id))
