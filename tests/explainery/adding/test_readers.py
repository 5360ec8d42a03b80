"""What files say of themselves, read without the libraries that wrote them; and files that lie."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load, save

from explainery.adding import onnx_graph
from explainery.adding.onnx_graph import Value
from explainery.adding.safetensors_file import header, joined, summary
from explainery.contract.errors import ModelRefused


def model(inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto], constants: tuple[str, ...] = ()) -> bytes:
    weights = [numpy_helper.from_array(np.ones((2, 2), np.float32), name) for name in constants]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", inputs, outputs, weights)
    return helper.make_model(graph).SerializeToString()


def test_an_onnx_graphs_inputs_and_outputs() -> None:
    """Open axes are -1, whether they have a name or not; constants that are listed as inputs are none."""
    content = model(
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, None, 300]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 2]),
            helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 128]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", 10]),
            helper.make_tensor_value_info("half", TensorProto.BFLOAT16, ["n"]),
            helper.make_tensor_sequence_value_info("maps", TensorProto.FLOAT, None),
        ],
        ("w",),
    )
    values = onnx_graph.read(content)
    assert values.inputs == (Value("x", "FP32", (-1, 3, -1, 300)), Value("ids", "INT64", (1, 128)))
    assert values.outputs == (Value("y", "FP64", (-1, 10)), Value("half", None, (-1,)))


def test_external_data_is_refused() -> None:
    loaded = onnx.load_model_from_string(model([], [], ("w",)))
    loaded.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(ModelRefused, match="external data"):
        onnx_graph.read(loaded.SerializeToString())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (onnx_graph.read, header, summary):
        try:
            read(content)
        except ModelRefused:
            continue


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_graph_is_read_or_refused(at: int, byte: int) -> None:
    content = bytearray(model([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])], [], ("w",)))
    content[at % len(content)] = byte
    with suppress(ModelRefused):
        onnx_graph.read(bytes(content))


def test_several_safetensors_files_become_one() -> None:
    first, second = {"a": np.arange(6.0).reshape(2, 3)}, {"b": np.arange(4, dtype=np.int32), "c": np.zeros((0, 2))}
    found = load(joined([save(first), save(second)]))
    assert set(found) == {"a", "b", "c"}
    for name, array in {**first, **second}.items():
        np.testing.assert_array_equal(found[name], array)
    with pytest.raises(ModelRefused, match="have a tensor a"):
        joined([save(first), save(first)])


def test_what_a_safetensors_file_holds() -> None:
    assert summary(save({"a": np.zeros((2, 3)), "b": np.zeros(4)})) == "2 tensors, 10 numbers"


LIES = {
    "empty": b"",
    "a giant header": struct.pack("<Q", 2**60) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"nope",
    "a list": struct.pack("<Q", 2) + b"[]",
    "deep": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "cut off": save({"a": np.zeros((2, 3))})[:-1],
    "a shape of text": struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,0]}}'.ljust(62),
}


@pytest.mark.parametrize("lie", LIES)
def test_safetensors_files_that_lie(lie: str) -> None:
    with pytest.raises(ModelRefused, match="safetensors file"):
        summary(LIES[lie])
