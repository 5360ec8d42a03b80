"""Hostile model files, made by code. Each maker writes `hostile/1` into a repository; the marker is what must never appear."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import repos
from onnx import TensorProto, helper, numpy_helper

NAME = "hostile"
INPUT, OUTPUT = repos.tensor_input("input", [4]), repos.output(1)
Maker = Callable[[Path, Path], None]


class Evil:
    """Leaves a marker when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


class EvilOpen(Evil):
    """The same without another process."""

    def __reduce__(self) -> Any:
        return open, (str(self.marker), "w")


def weights(file_format: str, file: str, content: bytes, args: str = "features = 4", factory: str = "linear") -> Maker:
    """A model whose file is `content`."""
    card = f'title = "h"\nformat = "{file_format}"\nfile = "{file}"\n'
    if file_format in ("safetensors", "state_dict"):
        card += f'factory = "nets:{factory}"\nfactory_args = {{{args}}}\n'
    card += INPUT + OUTPUT

    def make(folder: Path, marker: Path) -> None:
        _write(folder, card, {file: content})

    return make


def pickled_state_dict(folder: Path, marker: Path) -> None:
    weights("state_dict", "model.pt", _zipped("archive/data.pkl", pickle.dumps({"weight": Evil(marker)})))(folder, marker)


def bare_pickle(folder: Path, marker: Path) -> None:
    weights("state_dict", "model.pt", pickle.dumps(Evil(marker)))(folder, marker)


def pickled_module(folder: Path, marker: Path) -> None:
    weights("torchscript", "model.pt", _zipped("archive/data.pkl", pickle.dumps(Evil(marker))))(folder, marker)


def exported(evil: type[Evil]) -> Maker:
    """A real exported program in which every pickle is another."""

    def make(folder: Path, marker: Path) -> None:
        import torch

        program, changed = io.BytesIO(), io.BytesIO()
        torch.export.save(torch.export.export(torch.nn.Linear(4, 1), (torch.zeros(2, 4),)), program)
        content = pickle.dumps(evil(marker))
        with zipfile.ZipFile(program) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as target:
            for name in source.namelist():
                held = source.read(name)
                target.writestr(name, _zipped("archive/data.pkl", content) if _is_pickle(name, held) else held)
        weights("pt2", "model.pt2", changed.getvalue())(folder, marker)

    return make


def _is_pickle(name: str, held: bytes) -> bool:
    return name.endswith((".pt", ".pkl")) or held.startswith((b"PK", b"\x80\x02"))


def external(location: str, link: str = "") -> Maker:
    """An ONNX file whose weights lie in another file: beside the marker, which stands for what is none of its business."""

    def make(folder: Path, marker: Path) -> None:
        secret = marker.parent / "secret.bin"
        secret.write_bytes(np.ones((4, 1), np.float32).tobytes())
        where = location.format(secret=secret)
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=where)
        graph = _graph([helper.make_node("MatMul", ["input", "w"], ["score"])], [tensor])
        place = _write(folder, _onnx_card(), {"model.onnx": graph.SerializeToString()})
        if link:
            getattr(os, link)(secret, place / where)

    return make


def memory_bomb(folder: Path, marker: Path) -> None:
    """A file of about a hundred bytes that asks for 10^10 floats when its session is made."""
    shape = numpy_helper.from_array(np.array([10**10], np.int64), "s")
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["input", "one"], ["row"]),
        helper.make_node("Add", ["row", "sum"], ["score"]),
    ]
    _onnx(folder, nodes, [shape, numpy_helper.from_array(np.array([1], np.int64), "one")])


def endless_loop(folder: Path, marker: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["x", "x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1]),
        ],
    )
    nodes = [
        helper.make_node("ReduceSum", ["input", "one"], ["row"]),
        helper.make_node("Loop", ["turns", "yes", "row"], ["score"], body=body),
    ]
    constants = {"one": np.array([1], np.int64), "turns": np.array(2**62, np.int64), "yes": np.array(True)}
    _onnx(folder, nodes, [numpy_helper.from_array(array, name) for name, array in constants.items()])


def deep_nesting(folder: Path, marker: Path) -> None:
    """Graphs within graphs, deeper than any parser's stack: written by hand, because no library builds it."""
    content = b""
    for _ in range(20_000):  # NodeProto.attribute { name "then_branch", type GRAPH, g { node { ... } } }
        content = _field(1, _field(4, b"If") + _field(5, _field(1, b"then_branch") + _field(6, content)))
    weights("onnx", "model.onnx", b"\x08\x08" + _field(7, content))(folder, marker)


def custom_domain(folder: Path, marker: Path) -> None:
    _onnx(folder, [helper.make_node("Steal", ["input"], ["score"], domain="evil.example")], [], ("evil.example", 1))


def cut_off(folder: Path, marker: Path) -> None:
    """A good ONNX file, but half of it."""
    place = repos.add_onnx_linear(folder, NAME, np.ones((4, 1)))
    content = (place / "model.onnx").read_bytes()
    (place / "model.onnx").write_bytes(content[: len(content) // 2])


def huge_module(folder: Path, marker: Path) -> None:
    """A card that has an allowed factory build 16 GiB of weights."""
    weights("safetensors", "model.safetensors", _safetensors({}), "features = 4, width = 1000000000", "mlp")(folder, marker)


def swollen_sample(folder: Path, marker: Path) -> None:
    """A sample of a few MB that unpacks to 4 GiB."""
    place = repos.add_onnx_linear(folder, NAME, np.ones((4, 1)))
    header = io.BytesIO()
    rows = 1 << 28
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (rows, 4)})
    with (
        zipfile.ZipFile(place / "sample.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("input.npy", "w", force_zip64=True) as file,
    ):
        file.write(header.getvalue())
        for _ in range(40):  # reading allocates all of it first
            file.write(bytes(1 << 20))
    _say(place, '[sample]\nfile = "sample.npz"\n')


def pickled_baseline(folder: Path, marker: Path) -> None:
    place = repos.add_onnx_linear(folder, NAME, np.ones((4, 1)))
    np.save(place / "base.npy", np.array([Evil(marker), 1], dtype=object), allow_pickle=True)
    _say(place, '[baseline]\ninput = "base.npy"\n')


def card_naming(file: str) -> Maker:
    """A card that names a file elsewhere."""

    def make(folder: Path, marker: Path) -> None:
        secret = marker.parent / "secret.bin"
        secret.write_bytes(b"secret")
        _write(folder, _onnx_card().replace("model.onnx", file.format(secret=secret)), {})

    return make


def linked(target: str) -> Maker:
    """A model file that is a link."""

    def make(folder: Path, marker: Path) -> None:
        secret = marker.parent / "secret.bin"
        secret.write_bytes(b"secret")
        place = _write(folder, _onnx_card(), {})
        (place / "model.onnx").symlink_to(target.format(secret=secret))

    return make


def pipe(folder: Path, marker: Path) -> None:
    """A model file that nobody ever writes into: whoever opens it waits."""
    os.mkfifo(_write(folder, _onnx_card(), {}) / "model.onnx")


def sparse(folder: Path, marker: Path) -> None:
    """A model file of 2 TiB that takes no room on the disk."""
    with (_write(folder, _onnx_card(), {}) / "model.onnx").open("wb") as file:
        file.truncate(1 << 41)


def deep_card(folder: Path, marker: Path) -> None:
    _write(folder, f"title = {'[' * 100_000}", {})


def huge_shape(folder: Path, marker: Path) -> None:
    _write(folder, _onnx_card().replace("shape = [-1, 4]", "shape = [-1, 10000000000]"), {"model.onnx": b""})


def giant_header(size: int) -> bytes:
    """A safetensors file whose header says that it has so many bytes."""
    return struct.pack("<Q", size) + b'{"weight":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16]}}'


def noise(size: int = 4096) -> bytes:
    return np.random.Generator(np.random.Philox(7)).bytes(size)


def _safetensors(tensors: dict[str, tuple[int, list[int]]]) -> bytes:
    import json

    header = {name: {"dtype": "F32", "shape": [rows], "data_offsets": ends} for name, (rows, ends) in tensors.items()}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field of a protocol buffer."""
    size, length = len(content), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def _zipped(name: str, content: bytes) -> bytes:
    """A zip archive as torch writes them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, content)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
    return stream.getvalue()


def _graph(nodes: list[Any], constants: list[Any], domain: tuple[str, int] | None = None) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        constants,
    )
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(*domain)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _onnx(folder: Path, nodes: list[Any], constants: list[Any], domain: tuple[str, int] | None = None) -> None:
    _write(folder, _onnx_card(), {"model.onnx": _graph(nodes, constants, domain).SerializeToString()})


def _onnx_card() -> str:
    return f'title = "h"\nformat = "onnx"\nfile = "model.onnx"\n{INPUT}{OUTPUT}'


def _say(place: Path, more: str) -> None:
    card = place / "card.toml"
    card.write_text(card.read_text(encoding="utf-8") + more, encoding="utf-8")


def _write(folder: Path, card: str, files: dict[str, bytes]) -> Path:
    return repos.write(folder, NAME, card, files)


TRIED: dict[str, tuple[Maker, str]] = {
    "a pickle as state dict": (pickled_state_dict, "cannot be loaded"),
    "external data by ..": (external("../../../secret.bin"), "external data"),
    "external data by an absolute path": (external("{secret}"), "external data"),
    "external data by a symlink": (external("link.bin", "symlink"), "external data"),
    "external data by a hard link": (external("link.bin", "link"), "external data"),
    "a memory bomb": (memory_bomb, "needed more than"),
    "an endless loop": (endless_loop, "computed for longer than 2 s"),
    "graphs nested 20000 deep": (deep_nesting, "cannot be loaded"),
    "an operator of a custom domain": (custom_domain, "cannot be loaded"),
    "a safetensors header of 2^60 bytes": (weights("safetensors", "m.safetensors", giant_header(2**60)), "cannot be loaded"),
    "half an ONNX file": (cut_off, "cannot be loaded"),
    "random bytes as ONNX": (weights("onnx", "model.onnx", noise()), "cannot be loaded"),
    "a factory asked for 16 GiB": (huge_module, "needed more than"),
    "a sample that unpacks to 4 GiB": (swollen_sample, "needed more than"),
    "a pickle as baseline": (pickled_baseline, "cannot be read"),
}
"""What only a trial can tell: name -> maker, and words of the reason."""

CODE: dict[str, tuple[Maker, str]] = {
    "a pickle in .pt2": (exported(Evil), "can run code"),
    "a pickle as TorchScript": (pickled_module, "can run code"),
}
"""What may not be opened at all without EXPLAINERY_ALLOW_CODE_FORMATS."""

CODE_ALLOWED: dict[str, tuple[Maker, str]] = {
    "a pickle in .pt2 that writes a file": (exported(EvilOpen), "It attempted open"),
}
"""What its trial stops where code formats are allowed."""

BROKEN: dict[str, tuple[Maker, str]] = {
    "a card pointing out of its folder": (card_naming("../../../secret.bin"), "must lie in the card's folder"),
    "a card with an absolute path": (card_naming("{secret}"), "must lie in the card's folder"),
    "a file that is a link out of its folder": (linked("{secret}"), "leads out of the model's folder"),
    "a file that is a device": (linked("/dev/zero"), "not in its folder"),
    "a file that is a pipe": (pipe, "not in its folder"),
    "a file of 2 TiB": (sparse, "EXPLAINERY_MAX_MODEL_BYTES"),
    "a card nested 100000 deep": (deep_card, "nests its values too deeply"),
    "a row of 10^10 numbers": (huge_shape, "elements at most"),
}
"""What the repository refuses before a byte of the model is read."""
