"""What is asked, as a digest: jobs of one content have one answer, so that the second need not be computed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

import explainery
from explainery.contract.catalogue import MethodSpec
from explainery.contract.job import JobSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def content_of(spec: JobSpec, arrays: Mapping[str, NDArray[Any]], method: MethodSpec, scope: str) -> str | None:
    """SHA-256 over everything the answer depends on, and whose it is unless `scope` is "all"; None when it is "off".

    Whose it is: an answer that comes at once tells that somebody asked before, so tenants do not share by default.
    """
    if scope == "off":
        return None
    asked = {
        "model": spec.model.model_dump(),
        "inputs": _digest(arrays),
        "encodings": spec.encodings,
        "baseline": spec.baseline.model_dump(),
        "method": method.model_dump(),
        "params": spec.params,
        "target": spec.target,
        "seed": spec.seed,
        "budget": spec.budget,
        "quality": [each.model_dump() for each in spec.quality],
        "reasons": spec.reasons and spec.reasons.model_dump(),
        "code": explainery.__version__,
        "tenant": spec.tenant if scope == "tenant" else None,
    }
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{len(name)}:{name}:{array.dtype.str}:{array.shape}:".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
