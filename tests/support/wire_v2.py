"""The Open Inference Protocol as stock clients write and read it, by struct and json alone: nothing of ours takes part."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import numpy as np

HEADER = "Inference-Header-Content-Length"
DTYPES = {
    "BOOL": "?", "UINT8": "u1", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4",
    "FP64": "<f8",
}  # fmt: skip


def strings(values: Sequence[bytes]) -> bytes:
    """A BYTES tensor's bytes."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def in_bytes(name: str, datatype: str, shape: Sequence[int], content: bytes) -> tuple[dict[str, Any], bytes]:
    """An input whose data comes after the object."""
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": len(content)}}, content


def array_in_bytes(name: str, datatype: str, array: Any) -> tuple[dict[str, Any], bytes]:
    values = np.asarray(array).astype(DTYPES[datatype])
    return in_bytes(name, datatype, values.shape, values.tobytes())


def in_json(name: str, datatype: str, array: Any) -> tuple[dict[str, Any], bytes]:
    values = np.asarray(array)
    return {"name": name, "datatype": datatype, "shape": list(values.shape), "data": values.reshape(-1).tolist()}, b""


def infer(
    http: httpx.Client, model: str, inputs: Sequence[tuple[dict[str, Any], bytes]], version: str = "", **more: Any
) -> httpx.Response:
    """Ask as tritonclient does: no Content-Type, and the header only where bytes follow the object."""
    headers = more.pop("headers", {})
    head = json.dumps({"inputs": [tensor for tensor, _ in inputs], **more}).encode()
    tail = b"".join(content for _, content in inputs)
    if tail:
        headers = {**headers, HEADER: str(len(head))}
    path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/infer"
    request = http.build_request("POST", path, content=head + tail, headers=headers)
    assert "content-type" not in request.headers
    return http.send(request)


def outputs(answer: httpx.Response) -> dict[str, np.ndarray]:
    """The answer's tensors by name, from JSON or from bytes."""
    assert answer.status_code == 200, answer.text
    length = int(answer.headers.get(HEADER, len(answer.content)))
    document: Mapping[str, Any] = json.loads(answer.content[:length])
    start, found = length, {}
    for output in document["outputs"]:
        dtype = DTYPES[output["datatype"]]
        if "data" in output:
            found[output["name"]] = np.array(output["data"], dtype).reshape(output["shape"])
            continue
        size = output["parameters"]["binary_data_size"]
        found[output["name"]] = np.frombuffer(answer.content[start : start + size], dtype).reshape(output["shape"])
        start += size
    assert start == len(answer.content)
    return found
