"""A loaded model's inside: its layers, found when they are first asked for, and answers to probes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import ModelCard
from workers.device import numerics, ran_out_of_memory
from workers.inside.layers import Layer, discover
from workers.inside.learned import Reading, storage_of, weighed
from workers.inside.net import Net
from workers.inside.probing import Asked, Tensors, probed
from workers.inside.rows import rows_of
from workers.plugins import Shown
from workers.questions import Probe
from workers.whole import WeightFigures

log = structlog.get_logger()


class Looking:
    """A `Net` on a device. `placed`: brings arrays there; `batch`: the only number of rows it takes, or None."""

    def __init__(
        self,
        net: Net,
        card: ModelCard,
        sample: Mapping[str, NDArray[Any]],
        placed: Callable[[Mapping[str, NDArray[Any]]], Tensors],
        device: torch.device,
        batch: int | None = None,
        *,
        recurrent: bool = False,
    ) -> None:
        self._net = net
        self._card = card
        self._sample = sample
        self._placed = placed
        self._device = device
        self._batch = batch
        self._cudnn = not recurrent  # cuDNN differentiates recurrent layers in training mode only

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The layers by name; empty where the model could not be called with rows like its card's."""
        picture = any(spec.modality == "image" for spec in self._card.inputs)
        for rows in rows_of(self._card, self._sample, self._batch or 2):
            try:
                with numerics(self._device, cudnn=self._cudnn):
                    return discover(self._net, lambda count, rows=rows: self._some(rows, count), self._batch, picture)  # type: ignore[misc]
            except MemoryError:
                raise
            except Exception as error:  # a model may raise anything on rows that are not its own
                if ran_out_of_memory(error):
                    raise MemoryError from error
                log.info("layers_not_found", model=self._card.title, error=type(error).__name__)
        return {}

    @property
    def specs(self) -> tuple[LayerSpec, ...]:
        """What is published of them."""
        return tuple(layer.spec for layer in self.layers.values())

    @cached_property
    def weights(self) -> tuple[WeightFigures, ...]:
        """What the layers have learned, in figures; which of it is read is seen by calling the model once."""
        learned = tuple(self._net.learned())
        read = self._read()
        with torch.no_grad():
            return tuple(weighed(each, used=read is None or storage_of(each.tensor) in read) for each in learned)

    def _read(self) -> Collection[int] | None:
        """Which arrays computing the output reads; None where the model could not be called."""
        for rows in rows_of(self._card, self._sample, self._batch or 1):
            reading = Reading()
            try:
                with numerics(self._device, cudnn=self._cudnn), torch.no_grad():
                    self._net.run(self._some(rows, self._batch or 1), {}, lambda where, reading=reading: reading)  # type: ignore[misc]
            except MemoryError:
                raise
            except Exception as error:  # as above
                log.info("weights_not_followed", model=self._card.title, error=type(error).__name__)
            else:
                return reading.storages
        return None

    def ask(
        self,
        inputs: Tensors,
        columns: NDArray[np.int64],
        probe: Probe,
        start: torch.Tensor | None = None,
        references: Tensors | None = None,
        net: Net | None = None,
    ) -> Shown:
        """Answer a probe, see `workers.plugins.Inside`. `net`: another way to compute the same, where that is cheaper."""
        targets = torch.as_tensor(columns, device=self._device)
        with numerics(self._device, cudnn=self._cudnn):
            return probed(
                net or self._net, self.layers if _names(probe) else {}, inputs, Asked(probe, targets, start, references)
            )

    def _some(self, rows: Mapping[str, NDArray[Any]], count: int) -> Tensors:
        return self._placed({name: array[:count] for name, array in rows.items()})


def _names(probe: Probe) -> bool:
    """Whether a probe speaks of layers at all."""
    return bool(probe.layers or probe.unit or probe.start)
