"""A translation, asked like a model: NumPy arrays in and out, in parts of the batch that the file was exported for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workers.device import memory_or, numerics
from workers.device import slopes as gradients_of
from workers.inside.shuffling import shuffled
from workers.runtimes.onnx.inside import Layered
from workers.runtimes.onnx.session import Arrays, batches
from workers.runtimes.onnx.translate import Translation


class Translated:
    """Outputs and gradients of one output tensor by torch."""

    def __init__(self, translation: Translation, output: str, device: str, batch: int | None) -> None:
        self.translation = translation
        self._output = output
        self._fixed = (output, device, batch)
        self.device = torch.device(device)
        self._batch = batch
        self._graph = translation.graph.to(self.device).eval()
        self.net = Layered(self._graph, output)
        # channels-last convolutions are up to twice as fast on CPU, and no slower elsewhere
        self._pictures = any(isinstance(part, torch.nn.Conv2d) for part in self._graph.modules())
        if self._pictures:
            self._graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # cuDNN differentiates recurrent layers in training mode only
        self.recurrent = any(isinstance(part, torch.nn.RNNBase) for part in self._graph.modules())

    def shuffled(self, layers: Collection[str], seed: int) -> Translated:
        """The same with the weights of some layers permuted."""
        graph = shuffled(self._graph, tuple(self.net.learned()), layers, seed)
        return Translated(replace(self.translation, graph=graph), *self._fixed)

    def forward(self, feeds: Arrays) -> NDArray[Any]:
        """Outputs [points, columns]."""
        parts = []
        with torch.no_grad(), numerics(self.device):
            for part, points in batches(dict(feeds), self._batch):
                answer = self._call(self.placed(part))
                parts.append(answer[:points].double().cpu().numpy())
        return np.concatenate(parts)

    def has_gradient(self, feeds: Arrays) -> bool:
        """Whether anything differentiable leads from the inputs to the output; True where all inputs are whole numbers."""
        with torch.enable_grad(), numerics(self.device, cudnn=not self.recurrent):
            part, _ = next(batches(dict(feeds), self._batch))
            leaves = self.placed(part)
            smooth = [leaf.requires_grad_() for leaf in leaves.values() if leaf.is_floating_point()]
            return not smooth or self._call(leaves).requires_grad

    def gradients(self, feeds: Arrays, columns: NDArray[np.int64]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """Outputs [points] and gradients [points, *row] by input; zeros for inputs of whole numbers. Raises MemoryError."""
        done, scores = 0, []
        gradients: dict[str, list[NDArray[Any]]] = {name: [] for name in feeds}
        with torch.enable_grad(), numerics(self.device, cudnn=not self.recurrent):
            for part, points in batches(dict(feeds), self._batch):
                some = torch.as_tensor(columns[done : done + points], device=self.device)
                found, slopes = self._differentiated(part, some, points)
                done += points
                scores.append(found)
                for name, slope in slopes.items():
                    gradients[name].append(slope)
        return np.concatenate(scores), {name: np.concatenate(parts) for name, parts in gradients.items()}

    def _differentiated(
        self, part: Mapping[str, NDArray[Any]], columns: torch.Tensor, points: int
    ) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        leaves = self.placed(part)
        smooth = {name: leaf.requires_grad_() for name, leaf in leaves.items() if leaf.is_floating_point()}
        outputs = self._call(leaves)[:points]
        scores = outputs.gather(1, columns[:, None])[:, 0]
        slopes = {name: torch.zeros(leaf.shape) for name, leaf in leaves.items()}
        if scores.requires_grad:
            try:
                found = gradients_of(scores, list(smooth.values()))
            except RuntimeError as error:
                raise memory_or(error) from error
            slopes |= dict(zip(smooth, found, strict=True))
        return scores.detach().double().cpu().numpy(), {name: slope[:points].cpu().numpy() for name, slope in slopes.items()}

    def placed(self, part: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
        """Arrays as tensors on the device, pictures laid out as its convolutions like them."""
        tensors = {name: torch.tensor(array, device=self.device) for name, array in part.items()}
        if not self._pictures:
            return tensors
        laid_out = {name: tensor for name, tensor in tensors.items() if tensor.ndim == 4}
        return tensors | {name: tensor.contiguous(memory_format=torch.channels_last) for name, tensor in laid_out.items()}

    def _call(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        try:
            answer: torch.Tensor = self._graph.run(inputs, (self._output,))[self._output]
        except RuntimeError as error:
            raise memory_or(error) from error
        return answer.reshape(len(answer), -1)
