"""A module whose layers can be tapped: it runs on a body of its own, so that the model itself never has a hook."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from workers.inside.net import Learned, Listener, Mode, Part, Tap
from workers.inside.outputs import tensor_of, with_tensor
from workers.inside.twofold import twofold


class Watched:
    """A module as a `Net`. `call` runs the body on the model's inputs and gives the explained output.

    A layer is a module's path; one that is called several times in a pass has a number for each: `relu#2`. Hooks are on the
    body while it runs, on the tapped modules alone, or on all where somebody wants to know which computes. Calls from several
    threads wait for each other: there is one body.
    """

    def __init__(self, module: nn.Module, call: Callable[[nn.Module, Mapping[str, torch.Tensor]], torch.Tensor]) -> None:
        self._body = twofold(module)
        self._call = call
        self._lock = threading.RLock()
        self._trail: list[str] = []
        self._calls: Counter[str] = Counter()
        self._taps: Mapping[str, Tap] | Listener = {}
        self._modules = {
            path: part for path, part in self._body.named_modules() if path and not isinstance(part, torch.jit.ScriptModule)
        }

    def parts(self) -> dict[str, Part]:
        """Every module by path."""
        return {
            path: Part(type(part).__name__, sum(tensor.numel() for tensor in part.parameters()))
            for path, part in self._body.named_modules()
            if path
        }

    def learned(self) -> Iterator[Learned]:
        """The parameters that each module has itself."""
        return learned_of(self._body)

    def run(
        self,
        inputs: Mapping[str, torch.Tensor],
        taps: Mapping[str, Tap] | Listener,
        mode: Mode | None = None,
        *,
        located: bool = False,
    ) -> torch.Tensor:
        """The explained output, [points, columns]. Raises MemoryError."""
        with self._lock, ExitStack() as hooks:
            self._trail, self._taps = [], taps
            self._calls.clear()
            everywhere = located or callable(taps)
            watched = self._modules if everywhere else {name.rpartition("#")[0] or name for name in taps}  # type: ignore[union-attr]
            for path in watched:
                if (part := self._modules.get(path)) is not None:
                    if everywhere:
                        hooks.enter_context(_removed(part.register_forward_pre_hook(self._entering(path))))
                    hooks.enter_context(_removed(part.register_forward_hook(self._leaving(path))))
            try:
                with plain_attention(), mode(self.where) if mode else nullcontext():
                    return self._call(self._body, inputs)
            finally:
                self._taps = {}

    def overridden(
        self, inputs: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], taps: Mapping[str, Tap]
    ) -> torch.Tensor:
        """Like `run`, with some layers' outputs replaced. A module cannot be entered in the middle: all of it is computed."""
        replaced = {name: _replacing(tensor, taps.get(name)) for name, tensor in given.items()}
        return self.run(inputs, {**taps, **replaced})

    def where(self) -> str:
        """The path of the innermost module that computes at the moment; empty outside of all, or where nobody asked."""
        return self._trail[-1] if self._trail else ""

    def _entering(self, path: str) -> Callable[..., None]:
        def enter(module: nn.Module, args: Any) -> None:
            self._trail.append(path)

        return enter

    def _leaving(self, path: str) -> Callable[..., Any]:
        def leave(module: nn.Module, args: Any, output: Any) -> Any:
            if self._trail:
                self._trail.pop()
            self._calls[path] += 1
            tensor = tensor_of(output)
            if tensor is None:
                return None
            name = f"{path}#{self._calls[path]}"
            seen = self._seen(name, path, tensor)
            return None if seen is tensor else with_tensor(output, seen)

        return leave

    def _seen(self, name: str, path: str, tensor: torch.Tensor) -> torch.Tensor:
        if callable(self._taps):
            return self._taps(name, tensor)
        tap = self._taps.get(name) or (self._taps.get(path) if name.endswith("#1") else None)
        return tensor if tap is None else tap(tensor)


@contextmanager
def _removed(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def plain_attention() -> Iterator[None]:
    """Transformer layers without torch's fused path, which skips the modules inside them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _replacing(value: torch.Tensor, tap: Tap | None) -> Tap:
    def replace(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape != value.shape:
            raise ValueError("the layer puts out another shape than it is given")
        return value if tap is None else tap(value)

    return replace


def learned_of(body: torch.nn.Module) -> Iterator[Learned]:
    """The parameters that each module has itself."""
    for path, part in body.named_modules():
        if not isinstance(part, torch.jit.ScriptModule):
            for name, tensor in part.named_parameters(recurse=False):
                yield Learned(path or "(model)", type(part).__name__, name, tensor)
