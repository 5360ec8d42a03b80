"""A state dict as safetensors. PyTorch's restricted unpickler reads it: tensors and plain containers, nothing else."""

from __future__ import annotations

from pathlib import Path

from explainery.contract.errors import ModelRefused


def converted(path: Path) -> bytes:
    """The file's tensors as safetensors. Raises ModelRefused for anything but a plain state dict."""
    try:
        import torch
        from safetensors.torch import save
    except ImportError:
        raise ModelRefused(
            "A state dict is converted with PyTorch, which is not installed: pip install 'explainery[worker]'."
        ) from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle may hold anything; its words are not repeated
        raise ModelRefused(
            f"The file is no plain state dict ({type(error).__name__}): save model.state_dict(), or export the model to ONNX."
        ) from None
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not found or not all(isinstance(part, torch.Tensor) for part in found.values()):
        raise ModelRefused("The file holds other things than tensors by name: save model.state_dict() by itself.")
    return save({str(name): tensor.detach().clone().contiguous() for name, tensor in found.items()})
