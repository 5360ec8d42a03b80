"""The layers of models, by digest: what workers have found when they looked into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from explainery.contract.layers import LayerSpec
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

_LIST = TypeAdapter(tuple[LayerSpec, ...])


class LayerStore:
    """Layers of models. Raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._ttl_s = settings.trial_ttl_s

    @store_errors()
    def find(self, digest: str) -> tuple[LayerSpec, ...] | None:
        """The layers in the order in which they put out their results; None while no worker has looked."""
        text = self._redis.get(key("layers", digest))
        return None if text is None else _LIST.validate_json(text, extra="ignore")

    @store_errors()
    def publish(self, digest: str, layers: Sequence[LayerSpec]) -> None:
        """Say which layers a model has."""
        self._redis.set(key("layers", digest), _LIST.dump_json(tuple(layers)), ex=self._ttl_s)
