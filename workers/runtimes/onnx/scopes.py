"""Names of the source's modules: as torch's exporters write them into the file."""

from __future__ import annotations

import ast
from typing import Any

SCOPES = "pkg.torch.onnx.name_scopes"
MAX_TEXT = 4096


def scopes_of(node: Any) -> tuple[str, ...]:
    """The modules a node belongs to, outermost first, as torch names them; empty where the file does not say."""
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            return _listed(entry.value)
    return _path(node.name)


def _listed(text: str) -> tuple[str, ...]:
    """What torch.export writes: a list of names, of which the first is the whole model and the last the operation."""
    if len(text) > MAX_TEXT:
        return ()
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(name for name in names[:-1] if name)


def _path(name: str) -> tuple[str, ...]:
    """What the TorchScript exporter writes: /layer1/layer1.0/conv1/Conv is the module layer1.0.conv1."""
    if not name.startswith("/") or len(name) > MAX_TEXT:
        return ()
    qualified: list[str] = []
    found = []
    for part in name.split("/")[1:-1]:
        if qualified and part.startswith(qualified[-1] + "."):
            qualified[-1] = part
        else:
            qualified.append(part)
        found.append(".".join(qualified))
    return tuple(found)
