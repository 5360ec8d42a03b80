"""A model server for tests: the Open Inference Protocol v2 (JSON and binary) and KServe V1, with switches to misbehave.

A program of its own that shares no code with what it tests: `python far_side.py PORT [name=model.onnx ...]`. Besides ONNX files
it serves `waves`, `two` and `tokens`, which are closed forms. `POST /test/switch` sets how the next predictions go
wrong, and `GET /test/seen` tells what has been asked.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT32": "<i4", "UINT8": "u1", "BOOL": "?"}
VERSIONS = ["1", "2"]


def waves(x: np.ndarray) -> np.ndarray:
    """[n, 4] -> [n, 2], not additive: every pair of features matters."""
    x = x.astype(np.float64)
    return np.stack([np.sin(x @ [1.0, 2.0, -1.0, 0.5]) + x[:, 0] * x[:, 1], np.cos(x).prod(axis=1)], axis=1)


MODELS: dict[str, Any] = {
    "waves": {
        "inputs": {"input": "FP32"},
        "outputs": {"score": "FP32"},
        "call": lambda feeds: {"score": waves(feeds["input"])},
    },
    "two": {
        "inputs": {"table": "FP64", "flags": "BOOL"},
        "outputs": {"extra": "INT64", "score": "FP64"},
        "call": lambda feeds: {
            "extra": feeds["flags"].astype(np.int64),
            "score": feeds["table"] * np.where(feeds["flags"], 2.0, 1.0),
        },
    },
    "tokens": {
        "inputs": {"input": "INT64"},
        "outputs": {"score": "FP64"},
        "call": lambda feeds: {"score": np.stack([feeds["input"].sum(axis=1), feeds["input"].max(axis=1)], axis=1)},
    },
}


def add_onnx(name: str, path: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(Path(path).read_bytes(), providers=["CPUExecutionProvider"])
    MODELS[name] = {
        "inputs": {value.name: "FP32" for value in session.get_inputs()},
        "outputs": {value.name: "FP32" for value in session.get_outputs()},
        "call": lambda feeds: dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True)),
    }


class State:
    """What was asked, and what goes wrong next."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.switch: dict[str, Any] = {}
        self.seen: dict[str, Any] = {"asked": 0, "at_once": 0, "most_at_once": 0, "connections": 0, "rows": [], "headers": {}}

    def fault(self) -> dict[str, Any]:
        with self.lock:
            left = self.switch.get("count", 0)
            if not left:
                return {}
            self.switch["count"] = left - 1
            return dict(self.switch)


STATE = State()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    counted = False

    def setup(self) -> None:
        super().setup()
        with STATE.lock:
            STATE.seen["connections"] += 1

    def log_message(self, *_: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        if self.path == "/test/seen":
            self.answer(200, json.dumps(STATE.seen).encode())
            return
        name, version = named(self.path)
        if not self.path.startswith("/v2/") or name not in MODELS or version not in (None, *VERSIONS):
            self.answer(404, b'{"error": "no such model: a secret of the far side"}')
            return
        told = {
            "name": name,
            "versions": STATE.switch.get("versions", VERSIONS),
            "platform": "test",
            "inputs": [{"name": key, "datatype": kind, "shape": [-1, -1]} for key, kind in MODELS[name]["inputs"].items()],
            "outputs": [{"name": key, "datatype": kind, "shape": [-1, -1]} for key, kind in MODELS[name]["outputs"].items()],
        }
        self.answer(200, json.dumps(told).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/test/switch":
            STATE.switch = json.loads(body)
            self.answer(200, b"{}")
            return
        with STATE.lock:
            seen = STATE.seen
            seen["asked"] += 1
            seen["at_once"] += 1
            seen["most_at_once"] = max(seen["most_at_once"], seen["at_once"])
            seen["headers"] = {key.lower(): value for key, value in self.headers.items()}
        self.counted = True
        try:
            self.predict(body, STATE.fault())
        finally:
            self.done()

    def done(self) -> None:
        """This request counts no more: said before its answer goes out, because the next one may follow at once."""
        with STATE.lock:
            STATE.seen["at_once"] -= self.counted
            self.counted = False

    def predict(self, body: bytes, fault: dict[str, Any]) -> None:
        mode = fault.get("mode")
        time.sleep(fault.get("delay_s", 0.0))
        if mode == "drop":
            self.close_connection = True
            return
        if mode == "status":
            self.answer(fault["status"], b'{"error": "a secret of the far side"}', fault.get("headers", {}))
            return
        if mode == "trickle":
            self.trickle(fault)
            return
        if mode == "body":
            self.answer(200, fault["body"].encode(), fault.get("headers", {}))
            return
        name, _ = named(self.path)
        if name not in MODELS:
            self.answer(404, b'{"error": "no such model"}')
            return
        if self.path.startswith("/v1/"):
            self.v1(MODELS[name], json.loads(body), fault)
        else:
            self.v2(name, body, fault)

    def v1(self, model: Any, asked: Any, fault: dict[str, Any]) -> None:
        rows = asked["instances"]
        names = list(model["inputs"])
        columns = {key: [row[key] for row in rows] for key in names} if isinstance(rows[0], dict) else {names[0]: rows}
        feeds = {key: np.array(columns[key], dtype=TYPES[kind]) for key, kind in model["inputs"].items()}
        self.note(len(rows))
        outputs = {key: spoiled(np.asarray(value), fault).tolist() for key, value in model["call"](feeds).items()}
        predictions: Any = outputs["score"]
        if len(outputs) > 1:
            predictions = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
        predictions = null_for(predictions, fault)
        self.answer(200, json.dumps({"predictions": predictions}).encode())

    def v2(self, name: str, body: bytes, fault: dict[str, Any]) -> None:
        mode, model = fault.get("mode"), MODELS[name]
        size = int(self.headers.get("Inference-Header-Content-Length", len(body)))
        asked, tail = json.loads(body[:size]), body[size:]
        feeds = {}
        for tensor in asked["inputs"]:
            kind = np.dtype(TYPES[tensor["datatype"]])
            assert tensor["datatype"] == model["inputs"][tensor["name"]]
            if "data" in tensor:
                array = np.array(tensor["data"], dtype=kind)
            else:
                length = tensor["parameters"]["binary_data_size"]
                array, tail = np.frombuffer(tail[:length], dtype=kind), tail[length:]
            feeds[tensor["name"]] = array.reshape(tensor["shape"])
        assert not tail
        self.note(len(next(iter(feeds.values()))))
        results = model["call"](feeds)
        wanted = {tensor["name"]: tensor.get("parameters", {}).get("binary_data", False) for tensor in asked["outputs"]}
        if fault.get("all_outputs"):
            wanted = {key: wanted.get(key, fault["all_outputs"] == "binary") for key in results}
        outputs, pieces = [], []
        for key, binary in wanted.items():
            kind = model["outputs"][key]
            array = spoiled(np.asarray(results[key]).astype(TYPES[kind]), fault)
            told: dict[str, Any] = {"name": key, "datatype": kind, "shape": list(array.shape)}
            if mode == "wrong_datatype":
                told["datatype"] = "FP64"
                array = array.astype("<f8")
            if mode == "missing":
                told["name"] = "other"
            if binary:
                piece = array.tobytes()
                piece = piece[:-2] if mode == "short" else piece + b"xx" if mode == "long" else piece
                told["parameters"] = {"binary_data_size": len(piece) + fault.get("lie", 0)}
                pieces.append(piece)
            else:
                data = array.reshape(-1).tolist()
                told["data"] = null_for(data[:-1] if mode == "short" else [*data, 1.0] if mode == "long" else data, fault)
            outputs.append(told)
        document = {
            "model_name": name,
            "model_version": fault.get("version", named(self.path)[1] or VERSIONS[-1]),
            "id": asked["id"],
            "outputs": outputs,
        }
        if mode == "wrong_id":
            document["id"] = "another"
        head = json.dumps(document).encode()
        headers = {"Inference-Header-Content-Length": str(len(head) + fault.get("header_lie", 0))} if pieces else {}
        self.answer(200, b"".join([head, *pieces]), headers, cut=mode == "cut")

    def note(self, rows: int) -> None:
        with STATE.lock:
            STATE.seen["rows"].append(rows)

    def trickle(self, fault: dict[str, Any]) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            while True:
                self.wfile.write(b"a")
                self.wfile.flush()
                time.sleep(fault["every_s"])
        except OSError:
            self.close_connection = True

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        self.done()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut


def named(path: str) -> tuple[str, str | None]:
    """Name and version in /v2/models/<name>[/versions/<version>][/infer] or /v1/models/<name>[/versions/<version>]:predict."""
    parts = path.removesuffix("/infer").removesuffix(":predict").split("/")
    return parts[3] if len(parts) > 3 else "", parts[5] if len(parts) > 5 else None


def spoiled(array: np.ndarray, fault: dict[str, Any]) -> np.ndarray:
    mode = fault.get("mode")
    if mode == "fewer_rows":
        return array[:-1]
    if mode == "more_rows":
        return np.concatenate([array, array[:1]])
    if mode == "fewer_columns":
        return array[:, :-1]
    if mode == "flat":
        return array.reshape(-1)
    if mode == "nan":
        return np.where(np.arange(len(array))[:, None] == 0, np.nan, array).astype(array.dtype)
    return array


def null_for(data: list[Any], fault: dict[str, Any]) -> list[Any]:
    strange = {"null": None, "string": "1.0", "true": True}
    if fault.get("mode") not in strange:
        return data
    return [[strange[fault["mode"]], *row[1:]] if isinstance(row, list) else strange[fault["mode"]] for row in data]


def main(port: int, *arguments: str) -> None:
    """Serve. `arguments`: `name=model.onnx`, and `tls=folder` with cert.pem and key.pem."""
    folders = dict(argument.split("=", 1) for argument in arguments)
    tls = folders.pop("tls", None)
    for name, path in folders.items():
        add_onnx(name, path)
    ThreadingHTTPServer.request_queue_size = 64
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(tls) / "cert.pem", Path(tls) / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
