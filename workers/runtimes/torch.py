"""PyTorch models: safetensors or a state dict with an allowed factory; .pt2 and TorchScript where code formats are on."""

from __future__ import annotations

import importlib
import io
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_safetensors

from explainery.contract.catalogue import RuntimeSpec
from explainery.contract.errors import MethodUnavailable, ModelUnloadable
from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import ModelCard
from explainery.settings import Settings
from workers.card_arrays import sample_of
from workers.device import memory_or, numerics, slopes
from workers.inside.looking import Looking
from workers.inside.net import Learned
from workers.inside.shuffling import shuffled, weighted
from workers.inside.twofold import twofold
from workers.inside.watched import Watched, learned_of
from workers.plugins import Place, Shown
from workers.questions import Probe
from workers.whole import WeightFigures

SPEC = RuntimeSpec(
    name="torch",
    title="PyTorch",
    formats=("safetensors", "state_dict", "pt2", "torchscript"),
    answers=("values", "gradients", "internals"),
    cannot={"trees": "trees are read from ONNX files"},
    shuffles=("safetensors", "state_dict"),
    formats_cannot={"torchscript": {"internals": "TorchScript cannot be looked into; save the model as safetensors or ONNX"}},
)
CODE_FORMATS = ("pt2", "torchscript")
Forward = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


def refuses(card: ModelCard, settings: Settings) -> str | None:
    """Code formats need the operator's switch, a factory its module on the operator's list."""
    if card.format in CODE_FORMATS and not settings.allow_code_formats:
        return f"Files of format {card.format} can run code when they are opened; EXPLAINERY_ALLOW_CODE_FORMATS=1 allows them."
    if card.factory is not None and card.factory.partition(":")[0] not in settings.factories:
        module = card.factory.partition(":")[0]
        return f"The factory's module {module} is not allowed; add it to EXPLAINERY_FACTORIES."
    return None


def load(card: ModelCard, files: Mapping[str, bytes], place: Place) -> TorchModel:
    """Build the module, frozen and in evaluation mode, on the device. Raises ModelUnloadable."""
    content = files[str(card.file)]
    module: torch.nn.Module
    inner: torch.nn.Module | None = None
    if card.format == "pt2":
        program = torch.export.load(io.BytesIO(content))
        module, inner = program.module(), _unflattened(program)
    elif card.format == "torchscript":
        with warnings.catch_warnings():  # the format's deprecation is the model owner's to act on
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
    else:
        module = _built(card, content)
    if card.format != "pt2":  # an exported program has no modes
        module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return TorchModel(card, module, torch.device(place.device), inner, sample_of(card, files))


class TorchModel:
    """A module on a device, asked without ever changing it."""

    xp = torch

    def __init__(
        self,
        card: ModelCard,
        module: torch.nn.Module,
        device: torch.device,
        inner: torch.nn.Module | None = None,
        sample: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        # channels-last convolutions are about 1.5 times as fast on CPU, and no slower elsewhere
        self._pictures = any(isinstance(part, torch.nn.Conv2d) for part in module.modules())
        self._module = module.to(device)
        if self._pictures:
            self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._recurrent = any(isinstance(part, torch.nn.RNNBase) for part in module.modules())
        self._names = [spec.name for spec in card.inputs]
        self._outputs = [spec.name for spec in card.outputs]
        self._score = card.score_output.name
        self.environment: Mapping[str, str | None] = {"torch": torch.__version__.partition("+")[0], "device": str(device)}
        self.values_s = 0.0
        """Seconds that `forward` has taken."""
        self._twin: Forward | None = None
        self._inner = inner
        self._card = card
        self._sample = sample or {}

    @cached_property
    def _looking(self) -> Looking:
        if card_cannot := SPEC.formats_cannot.get(self._card.format, {}).get("internals"):
            raise MethodUnavailable(f"{card_cannot}.")
        body = self._module if self._inner is None else self._inner.to(self._device)
        net = Watched(body, lambda part, inputs: self.explained(part(*(self._laid_out(inputs[name]) for name in self._names))))
        return Looking(net, self._card, self._sample, self._all_placed, self._device, recurrent=self._recurrent)

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """Its layers, in the order in which they put out their results. Raises MethodUnavailable for TorchScript."""
        return self._looking.specs

    @property
    def weights(self) -> tuple[WeightFigures, ...]:
        """What its layers have learned, in figures. Raises MethodUnavailable for TorchScript."""
        return self._looking.weights

    def internals(
        self,
        inputs: Mapping[str, torch.Tensor],
        columns: NDArray[np.int64],
        probe: Probe,
        start: torch.Tensor | None = None,
        references: Mapping[str, torch.Tensor] | None = None,
    ) -> Shown:
        """What the probe shows; see `workers.plugins.Inside`."""
        return self._looking.ask(inputs, columns, probe, start, references)

    @property
    def weighted(self) -> tuple[str, ...]:
        """The modules whose weights can be shuffled, in the order in which the model registers them."""
        return weighted(self._learned)

    def shuffled(self, layers: Collection[str], seed: int) -> TorchModel:
        """The model with the weights of some modules permuted; see `workers.plugins.Shuffling`."""
        body = shuffled(self._module, self._learned, layers, seed)
        return TorchModel(self._card, body, self._device, sample=self._sample)

    @property
    def _learned(self) -> tuple[Learned, ...]:
        return tuple(learned_of(self._module))

    def _all_placed(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
        return {name: self.place(array) for name, array in arrays.items()}

    @property
    def has_twin(self) -> bool:
        """Whether another answers for `forward`."""
        return self._twin is not None

    def adopt(self, forward: Forward, environment: Mapping[str, str | None]) -> None:
        """Let another answer `forward` from now on: it gives the same outputs, [points, columns], of arrays by input name."""
        self._twin = forward
        self.environment = {**environment, **self.environment}

    def alone(self) -> torch.nn.Module:
        """A module that takes the card's inputs in order and gives the explained output, [points, columns]: for exporting."""
        return _Alone(self)

    def place(self, array: NDArray[Any]) -> torch.Tensor:
        """The array on the model's device."""
        try:
            return torch.tensor(array, device=self._device)
        except RuntimeError as error:
            raise memory_or(error) from error

    def fetch(self, array: torch.Tensor) -> NDArray[np.float64]:
        """The tensor as a float64 array."""
        return array.detach().to("cpu", torch.float64).numpy()

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Outputs [points, columns]."""
        began = time.perf_counter()
        outputs = self._ask_twin(self._twin, inputs) if self._twin else self._ask_module(inputs)
        self.values_s += time.perf_counter() - began
        return outputs

    def _ask_twin(self, twin: Forward, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return torch.from_numpy(twin({name: tensor.contiguous().numpy() for name, tensor in inputs.items()}))

    def _ask_module(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        with torch.no_grad(), numerics(self._device):
            return self._call({name: self._laid_out(tensor) for name, tensor in inputs.items()})

    def gradients(
        self, inputs: Mapping[str, torch.Tensor], columns: NDArray[np.int64]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Outputs [points] and gradients [points, *row]."""
        # cuDNN differentiates recurrent layers in training mode only; without it they are slower, and right
        with torch.enable_grad(), numerics(self._device, cudnn=not self._recurrent):
            leaves = {name: self._laid_out(tensor).detach().requires_grad_() for name, tensor in inputs.items()}
            inner = {name: leaf.clone() for name, leaf in leaves.items()}  # a model may write into its input
            outputs = self._call(inner, self._body)
            scores = outputs.gather(1, torch.as_tensor(columns, device=self._device)[:, None])[:, 0]
            gradients = self._differentiate(scores, leaves)
        return scores.detach(), dict(zip(leaves, gradients, strict=True))

    def _differentiate(self, scores: torch.Tensor, leaves: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        if not scores.requires_grad:  # the output does not depend on the inputs through anything differentiable
            return tuple(torch.zeros_like(leaf) for leaf in leaves.values())
        try:
            return tuple(slopes(scores, list(leaves.values())))
        except RuntimeError as error:
            raise memory_or(error) from error

    def _laid_out(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._pictures and tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    @cached_property
    def _body(self) -> torch.nn.Module:
        """What is differentiated: the module again, over the same tensors; a file that is code stays as it is."""
        return self._module if self._card.format in CODE_FORMATS else twofold(self._module)

    def _call(self, inputs: Mapping[str, torch.Tensor], body: torch.nn.Module | None = None) -> torch.Tensor:
        try:
            return self.explained((body or self._module)(*(inputs[name] for name in self._names)))
        except RuntimeError as error:
            raise memory_or(error) from error

    def explained(self, answer: Any) -> torch.Tensor:
        """The explained output among those that the module gives, [points, columns]."""
        if isinstance(answer, Mapping):
            answer = answer[self._score]
        elif isinstance(answer, (tuple, list)):
            answer = answer[self._outputs.index(self._score)]
        output: torch.Tensor = answer
        return output.reshape(len(output), -1)


class _Alone(torch.nn.Module):
    """A loaded model as a module of one output."""

    def __init__(self, model: TorchModel) -> None:
        super().__init__()
        self.module = model._module  # the loaded model's own part
        self._explained = model.explained

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self._explained(self.module(*inputs))


def _unflattened(program: torch.export.ExportedProgram) -> torch.nn.Module | None:
    """The program with the modules it was exported from; None where it does not say."""
    try:
        module: torch.nn.Module = torch.export.unflatten(program)
    except Exception:  # whatever an exported program lacks: it is explained without its layers
        return None
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def _built(card: ModelCard, content: bytes) -> torch.nn.Module:
    """The factory's module with the file's weights; names and shapes must match exactly."""
    module_name, _, function = str(card.factory).partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError):
        raise ModelUnloadable(f"The factory {card.factory} cannot be imported on this worker.") from None
    try:
        module = factory(**card.factory_args)
    except Exception as error:  # a factory is the operator's code and may raise anything
        raise ModelUnloadable(
            f"The factory {card.factory} raised {type(error).__name__}; check factory_args in the card."
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise ModelUnloadable(f"The factory {card.factory} built no torch.nn.Module; it must return one.")
    if card.format == "safetensors":
        weights = load_safetensors(content)
    else:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    try:
        module.load_state_dict(weights, strict=True)
    except (RuntimeError, TypeError, AttributeError):
        raise ModelUnloadable(
            f"The weights in {card.file} do not fit what {card.factory} builds; save the state dict of that very module."
        ) from None
    return module
