"""What the values of the contract are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: strict types, no unknown fields, never changed after it was made."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
