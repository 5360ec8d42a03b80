"""One suite over every runtime there is: real files, forward and gradients against their source, and every broken file."""

from __future__ import annotations

import dataclasses
import importlib
import io
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import far_side
import numpy as np
import onnx
import pytest
import repos
import structlog
import torch
from far_sides import TOKENS, TWO, FarSide, add_remote
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save

from explainery.contract.errors import ModelFailed, ModelOutputNotFinite, ModelUnloadable
from explainery.settings import Settings, load
from workers.loaded import Loaded
from workers.local import Local, Order
from workers.registry import discover
from workers.runtimes import torch as torch_runtime
from workers.runtimes.onnx import session as onnx_session

Arrays = dict[str, NDArray[Any]]
RUNTIMES = discover().runtimes
W = np.array([[2.0, -1.0], [0.5, 3.0], [-1.5, 0.25], [1.0, 1.0]], dtype=np.float32)


@dataclass(frozen=True)
class Case:
    """A model on disk, called "m", and the function it was made from: float64 rows by input name -> outputs [rows, columns]."""

    runtime: str
    write: Callable[[Path], Any]
    source: Callable[[Arrays], NDArray[Any]]
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"input": (4,)})
    columns: int = 2
    whole: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def net(factory: str, **args: Any) -> torch.nn.Module:
    """The very net that `repos.add_torch` saves."""
    module, function = factory.split(":")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built: torch.nn.Module = getattr(importlib.import_module(module), function)(**args)
    return built.eval()


def source_of(
    factory: str, pick: Callable[[Any], Any] = lambda answer: answer, **args: Any
) -> Callable[[Arrays], NDArray[Any]]:
    double = net(factory, **args).double()

    def call(rows: Arrays) -> NDArray[Any]:
        tensors = [torch.tensor(array if array.dtype.kind == "i" else array.astype(np.float64)) for array in rows.values()]
        with torch.no_grad():
            output = pick(double(*tensors))
        return output.detach().double().reshape(len(output), -1).numpy()

    return call


def torch_case(
    factory: str, inputs: str, outputs: str, *, more: str = "", pick: Any = None, args: Any = None, **case: Any
) -> Case:
    args = args or {}
    return Case(
        "torch",
        lambda folder: repos.add_torch(folder, "m", factory, args, inputs, outputs, more=more),
        source_of(factory, pick or (lambda answer: answer), **args),
        **case,
    )


def weights_card(file_format: str, file: str, factory: str | None, inputs: str, outputs: str) -> str:
    named = f'factory = "{factory}"\n' if factory else ""
    return f'title = "m"\nformat = "{file_format}"\nfile = "{file}"\n{named}{inputs}{outputs}'


SIX, FOUR = repos.tensor_input("input", [6]), repos.tensor_input("input", [4])


def write_state_dict(folder: Path) -> None:
    content = io.BytesIO()
    torch.save(net("runtime_nets:any_length").state_dict(), content)
    card = weights_card("state_dict", "m.pt", "runtime_nets:any_length", repos.tensor_input("input", [-1, 2]), repos.output(2))
    repos.write(folder, "m", card, {"m.pt": content.getvalue()})


def write_exported(folder: Path) -> None:
    exported = torch.export.export(
        net("runtime_nets:any_length"), (torch.zeros(3, 5, 2),), dynamic_shapes=({0: torch.export.Dim("rows")},)
    )
    content = io.BytesIO()
    torch.export.save(exported, content)
    card = weights_card("pt2", "m.pt2", None, repos.tensor_input("input", [5, 2]), repos.output(2))
    repos.write(folder, "m", card, {"m.pt2": content.getvalue()})


def write_script(folder: Path) -> None:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(net("runtime_nets:any_length"), torch.zeros(3, 5, 2)), content)
    card = weights_card("torchscript", "m.ts", None, repos.tensor_input("input", [5, 2]), repos.output(2))
    repos.write(folder, "m", card, {"m.ts": content.getvalue()})


def write_onnx(folder: Path, batch: Any, inputs: str = FOUR, outputs: str = repos.output(2), score: Any = (2,)) -> None:
    node = helper.make_node("MatMul", ["input", "w"], ["score"])
    repos.add_onnx(folder, "m", [node], {"w": W}, inputs, outputs, input=[batch, 4], score=[batch, *score])


def write_onnx_steps(folder: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["steps"]),
        helper.make_node("ReduceMax", ["steps"], ["score"], axes=[1], keepdims=0),
    ]
    inputs = repos.tensor_input("input", [-1, 4])
    repos.add_onnx(folder, "m", nodes, {"w": W}, inputs, repos.output(2), input=["n", "length", 4], score=["n", 2])


def write_onnx_tokens(folder: Path) -> None:
    """Whole numbers in, two outputs of which the card explains the second."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["w", "input"], ["rows"]),
            helper.make_node("ReduceMean", ["rows"], ["score"], axes=[1], keepdims=0),
            helper.make_node("Cast", ["input"], ["extra"], to=TensorProto.FLOAT),
        ],
        "tokens",
        [helper.make_tensor_value_info("input", TensorProto.INT64, ["n", "length"])],
        [
            helper.make_tensor_value_info("extra", TensorProto.FLOAT, ["n", "length"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 2]),
        ],
        [numpy_helper.from_array(W, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    outputs = repos.output(-1, "extra") + repos.output(2)
    card = 'title = "m"\nformat = "onnx"\nfile = "m.onnx"\nscore = "score"\n'
    card += repos.tensor_input("input", [-1], "INT64") + outputs
    repos.write(folder, "m", card, {"m.onnx": model.SerializeToString()})


def stub_case(form: str, source: Callable[[NDArray[Any]], NDArray[Any]], columns: int, **stub: Any) -> Case:
    def write(folder: Path) -> None:
        repos.add_stub(folder, "m", 4, form=form, columns=columns, **stub)

    return Case("stub", write, lambda rows: source(rows["input"]), columns=columns)


FAR: dict[str, str] = {}
"""Where the model server of this module's remote cases is, once it runs."""


@pytest.fixture(scope="module", autouse=True)
def _far_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    server = FarSide(tmp_path_factory.mktemp("far")).start()
    FAR["url"] = server.url
    yield
    server.kill()


def remote_case(source: Callable[[Arrays], NDArray[Any]], inputs: str = "", outputs: str = "", **remote: Any) -> Case:
    case = {key: remote.pop(key) for key in ("rows", "whole") if key in remote}
    more = remote.pop("more", "")

    def write(folder: Path) -> None:
        add_remote(folder, "m", FAR["url"], inputs, outputs, more, **remote)

    return Case("remote", write, source, **case)


def two(rows: Arrays) -> NDArray[Any]:
    return np.asarray(rows["table"] * np.where(rows["flags"] != 0, 2.0, 1.0))


TABLES = {**TWO, "rows": {"table": (2,), "flags": (2,)}, "whole": True}
NUMBERS = {**TOKENS, "rows": {"input": (5,)}, "whole": True}


def sums(rows: Arrays) -> NDArray[Any]:
    return np.stack([rows["input"].sum(axis=1), rows["input"].max(axis=1)], axis=1)


def waves(rows: Arrays) -> NDArray[Any]:
    return far_side.waves(rows["input"])


OPEN = {"rows": {"input": (7, 2)}}
CODE = {"rows": {"input": (5, 2)}, "settings": {"allow_code_formats": True}}
EXTRA = repos.output(6, "extra") + repos.output(3)
BOTH = repos.tensor_input("table", [3]) + repos.tensor_input("picture", [1, 4, 4], modality="image", layout="NCHW")

X6, X5 = {"input": (6,)}, {"input": (5,)}
CASES = {
    "torch-plain": torch_case("runtime_nets:answers", SIX, repos.output(3), args={"form": "plain"}, rows=X6, columns=3),
    "torch-dict": torch_case(
        "runtime_nets:answers", SIX, EXTRA, more='score = "score"\n', args={"form": "dict"}, rows=X6, columns=3,
        pick=lambda answer: answer["score"],
    ),
    "torch-tuple": torch_case(
        "runtime_nets:answers", SIX, EXTRA, more='score = "score"\n', args={"form": "tuple"}, rows=X6, columns=3,
        pick=lambda answer: answer[1],
    ),
    "torch-flat": torch_case("runtime_nets:answers", SIX, repos.output(None), args={"form": "flat"}, rows=X6, columns=1),
    "torch-double": torch_case("runtime_nets:answers", SIX, repos.output(3), args={"form": "double"}, rows=X6, columns=3),
    "torch-pictures": torch_case(
        "nets:cnn", repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW"), repos.output(4),
        rows={"input": (1, 8, 8)}, columns=4,
    ),
    "torch-two-inputs": torch_case(
        "nets:two_inputs", BOTH, repos.output(16, "extra") + repos.output(2, "logits"), more='score = "logits"\n',
        pick=lambda answer: answer["logits"], rows={"table": (3,), "picture": (1, 4, 4)},
    ),
    "torch-open": torch_case("runtime_nets:any_length", repos.tensor_input("input", [-1, 2]), repos.output(2), **OPEN),
    "torch-recurrent": torch_case(
        "runtime_nets:recurrent", repos.tensor_input("input", [-1, 2], modality="series"), repos.output(3), columns=3, **OPEN
    ),
    "torch-in-place": torch_case("runtime_nets:in_place", FOUR, repos.output(2)),
    "torch-constant": torch_case("runtime_nets:constant", FOUR, repos.output(1), columns=1),
    "torch-whole-numbers": torch_case(
        "runtime_nets:tokens", repos.tensor_input("input", [-1], "INT64"), repos.output(3), rows=X5, columns=3, whole=True
    ),
    "torch-state-dict": Case("torch", write_state_dict, source_of("runtime_nets:any_length"), **OPEN),
    "torch-pt2": Case("torch", write_exported, source_of("runtime_nets:any_length"), **CODE),
    "torch-torchscript": Case("torch", write_script, source_of("runtime_nets:any_length"), **CODE),
    "onnx-open-batch": Case("onnx", lambda folder: write_onnx(folder, "n"), lambda rows: rows["input"] @ W),
    "onnx-fixed-batch": Case("onnx", lambda folder: write_onnx(folder, 3), lambda rows: rows["input"] @ W),
    "onnx-batch-of-one": Case("onnx", lambda folder: write_onnx(folder, 1), lambda rows: rows["input"] @ W),
    "onnx-open-axes": Case(
        "onnx", write_onnx_steps, lambda rows: (rows["input"] @ W).max(axis=1), rows={"input": (7, 4)}
    ),
    "onnx-whole-numbers": Case(
        "onnx", write_onnx_tokens, lambda rows: W.astype(np.float64)[rows["input"]].mean(axis=1), rows=X5, whole=True
    ),
    "remote-json": remote_case(waves, batch=2, concurrency=3),
    "remote-binary": remote_case(waves, binary=True, batch=2, concurrency=3),
    "remote-v1": remote_case(waves, protocol="v1", batch=2, concurrency=3),
    "remote-two-inputs": remote_case(two, **TABLES),
    "remote-two-inputs-binary": remote_case(two, binary=True, version="1", **TABLES),
    "remote-two-inputs-v1": remote_case(two, protocol="v1", **TABLES),
    "remote-whole-numbers": remote_case(sums, **NUMBERS),
    "remote-whole-numbers-binary": remote_case(sums, binary=True, **NUMBERS),
    "stub-linear": stub_case("linear", lambda x: x @ W + 0.5, 2, weights=W.T.tolist(), bias=0.5),
    "stub-product": stub_case("product", lambda x: 2 * x.prod(axis=1, keepdims=True), 1, weights=2.0),
    "stub-max": stub_case("max", lambda x: x.max(axis=1, keepdims=True) - 1, 1, bias=-1.0),
}  # fmt: skip


def lab_over(folder: Path, **settings: Any) -> Local:
    known = {"factories": ("nets", "runtime_nets"), "device": "cpu", "threads": 1}
    known |= {"remote_allowed": ("127.0.0.1",), **settings}
    return Local(dataclasses.replace(load({}), models=str(folder), **known))


def rows_of(case: Case, count: int) -> Arrays:
    rng = np.random.Generator(np.random.Philox(count))
    if case.whole:
        return {name: rng.integers(0, 4, size=(count, *shape)) for name, shape in case.rows.items()}
    return {name: rng.normal(size=(count, *shape)).astype(np.float32) for name, shape in case.rows.items()}


def placed(loaded: Loaded, rows: Arrays) -> dict[str, Any]:
    return {name: loaded.model.place(array.copy()) for name, array in rows.items()}


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged, kept from being printed with the whole trace."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Loaded]:
    """Each case's model, written and loaded once."""
    known: dict[str, Loaded] = {}

    def get(name: str) -> Loaded:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            CASES[name].write(folder)
            known[name] = lab_over(folder, **CASES[name].settings).load("m")
        return known[name]

    return get


def test_every_runtime_and_format_has_a_case(loaded: Callable[[str], Loaded]) -> None:
    formats = {loaded(name).card.format for name in CASES}
    assert formats == {file_format for runtime in RUNTIMES.values() for file_format in runtime.SPEC.formats}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("points", [1, 3, 8])
def test_forward_is_the_source(loaded: Callable[[str], Loaded], name: str, points: int) -> None:
    case, model = CASES[name], loaded(name).model
    rows = rows_of(case, points)
    output = model.fetch(model.forward(placed(loaded(name), rows)))
    assert output.shape == (points, case.columns)
    assert output.dtype == np.float64
    np.testing.assert_allclose(output, case.source(rows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_central_differences(loaded: Callable[[str], Loaded], name: str) -> None:
    case, model = CASES[name], loaded(name).model
    if "gradients" not in RUNTIMES[case.runtime].SPEC.answers or case.whole:
        pytest.skip("answers no gradients here")
    rows = rows_of(case, 3)
    columns = np.arange(3) % case.columns
    outputs, gradients = model.gradients(placed(loaded(name), rows), columns)
    np.testing.assert_allclose(model.fetch(outputs), case.source(rows)[np.arange(3), columns], rtol=1e-5, atol=1e-5)
    for changed, array in rows.items():
        found = model.fetch(gradients[changed])
        assert found.shape == array.shape
        for element in np.ndindex(*array.shape[1:]):
            moved = {sign: {k: v.astype(np.float64) for k, v in rows.items()} for sign in (1, -1)}
            for sign, by_input in moved.items():
                by_input[changed][(slice(None), *element)] += sign * 1e-6
            slope = (case.source(moved[1]) - case.source(moved[-1]))[np.arange(3), columns] / 2e-6
            np.testing.assert_allclose(found[(slice(None), *element)], slope, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_being_asked_changes_nothing(loaded: Callable[[str], Loaded], name: str) -> None:
    """The same answer again, after gradients too, and the arrays asked with are as they were."""
    case, model = CASES[name], loaded(name).model
    rows = rows_of(case, 4)
    first = model.fetch(model.forward(placed(loaded(name), rows)))
    if "gradients" in RUNTIMES[case.runtime].SPEC.answers and not case.whole:
        points = placed(loaded(name), rows)
        model.gradients(points, np.zeros(4, dtype=np.int64))
        for key, array in rows.items():
            assert np.array_equal(model.fetch(points[key]), array)
    assert np.array_equal(first, model.fetch(model.forward(placed(loaded(name), rows))))


@pytest.mark.parametrize("name", CASES)
def test_arrays_come_back_as_they_were_placed(loaded: Callable[[str], Loaded], name: str) -> None:
    model = loaded(name).model
    for array in (np.array([[1.5, -2.0]], dtype=np.float16), np.array([True, False]), np.array([3, -4])):
        assert np.array_equal(model.fetch(model.place(array)), array)
    assert model.environment["device"] == ("remote" if CASES[name].runtime == "remote" else "cpu")
    assert loaded(name).runtime == CASES[name].runtime


@pytest.mark.parametrize("name", RUNTIMES)
def test_spec_is_complete(name: str) -> None:
    spec = RUNTIMES[name].SPEC
    assert spec.name == name
    assert spec.title
    assert spec.formats
    assert "values" in spec.answers
    assert not set(spec.cannot) & set(spec.answers)


# --- files that cannot be used


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def torch_bytes(value: Any) -> bytes:
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


def write_torch(
    folder: Path, content: bytes, file_format: str = "safetensors", factory: str = "nets:linear", args: str = ""
) -> None:
    card = weights_card(file_format, "model.bin", factory, args + FOUR, repos.output(2))
    repos.write(folder, "m", card, {"model.bin": content})


def write_onnx_bytes(folder: Path, content: bytes, inputs: str = FOUR, outputs: str = repos.output(2)) -> None:
    repos.write(folder, "m", f'title = "m"\nformat = "onnx"\nfile = "m.onnx"\n{inputs}{outputs}', {"m.onnx": content})


def onnx_bytes(folder: Path) -> bytes:
    write_onnx(folder / "elsewhere", "n")
    return (folder / "elsewhere" / "m" / "1" / "model.onnx").read_bytes()


def write_external(folder: Path) -> None:
    """The weights lie in another file, which exists and which the ONNX file names."""
    model = onnx.load_model_from_string(onnx_bytes(folder))
    (folder / "weights").write_bytes(W.tobytes())
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, str(folder / "weights"))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    write_onnx_bytes(folder, model.SerializeToString())


def write_stub(folder: Path, stub: str) -> None:
    repos.write(folder, "m", f'title = "m"\nformat = "stub"\n{FOUR}{repos.output(2)}[stub]\n{stub}\n')


LINEAR = {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}
SIZES = "factory_args = {features = 4, outputs = 2}\n"
UNUSABLE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "torch: garbage": (lambda f: write_torch(f, b"no weights at all", args=SIZES), "models check"),
    "torch: empty": (lambda f: write_torch(f, b"", args=SIZES), "models check"),
    "torch: truncated": (lambda f: write_torch(f, save(LINEAR)[:-8], args=SIZES), "models check"),
    "torch: weights of another shape": (
        lambda f: write_torch(f, save({**LINEAR, "bias": torch.zeros(3)}), args=SIZES), "save the state dict"
    ),
    "torch: a weight too few": (lambda f: write_torch(f, save({"bias": torch.zeros(2)}), args=SIZES), "save the state dict"),
    "torch: a weight too many": (
        lambda f: write_torch(f, save({**LINEAR, "x": torch.zeros(1)}), args=SIZES), "save the state dict"
    ),
    "torch: no state dict": (
        lambda f: write_torch(f, torch_bytes(torch.zeros(2)), "state_dict", args=SIZES), "save the state dict"
    ),
    "torch: a truncated state dict": (
        lambda f: write_torch(f, torch_bytes(LINEAR)[:-40], "state_dict", args=SIZES), "models check"
    ),
    "torch: a pickle as state dict": (
        lambda f: write_torch(f, pickle.dumps(Trap(f / "marker")), "state_dict", args=SIZES), "models check"
    ),
    "torch: a whole module as state dict": (
        lambda f: write_torch(f, torch_bytes(torch.nn.Linear(4, 2)), "state_dict", args=SIZES), "models check"
    ),
    "torch: a trap in a state dict": (
        lambda f: write_torch(f, torch_bytes({**LINEAR, "x": Trap(f / "marker")}), "state_dict", args=SIZES), "models check"
    ),
    "torch: wrong factory arguments": (lambda f: write_torch(f, save(LINEAR)), "factory_args"),
    "torch: a factory that raises": (lambda f: write_torch(f, save(LINEAR), factory="runtime_nets:raises"), "factory_args"),
    "torch: a factory of no module": (
        lambda f: write_torch(f, save(LINEAR), factory="runtime_nets:no_module"), "torch.nn.Module"
    ),
    "torch: a factory that is not there": (
        lambda f: write_torch(f, save(LINEAR), factory="nets:nothing"), "cannot be imported"
    ),
    "torch: a factory that is not allowed": (
        lambda f: write_torch(f, save(LINEAR), factory="torch:load"), "EXPLAINERY_FACTORIES"
    ),
    "torch: a factory below an allowed one": (
        lambda f: write_torch(f, save(LINEAR), factory="nets.inner:linear"), "EXPLAINERY_FACTORIES"
    ),
    "torch: pt2 without leave": (write_exported, "EXPLAINERY_ALLOW_CODE_FORMATS=1"),
    "torch: torchscript without leave": (write_script, "EXPLAINERY_ALLOW_CODE_FORMATS=1"),
    "onnx: garbage": (lambda f: write_onnx_bytes(f, b"no graph at all"), "models check"),
    "onnx: empty": (lambda f: write_onnx_bytes(f, b""), "models check"),
    "onnx: truncated": (lambda f: write_onnx_bytes(f, onnx_bytes(f)[:-20]), "models check"),
    "onnx: external data": (write_external, "self-contained"),
    "onnx: an input of another name": (
        lambda f: write_onnx_bytes(f, onnx_bytes(f), repos.tensor_input("x", [4])), "the file has: input"
    ),
    "onnx: an input too many": (
        lambda f: write_onnx_bytes(f, onnx_bytes(f), FOUR + repos.tensor_input("x", [4])), "the file has: input"
    ),
    "onnx: an output of another name": (
        lambda f: write_onnx_bytes(f, onnx_bytes(f), outputs=repos.output(2, "logits")), "the file has: score"
    ),
    "onnx: an input of another type": (
        lambda f: write_onnx_bytes(f, onnx_bytes(f), repos.tensor_input("input", [4], "FP64")), "tensor(float)"
    ),
    "onnx: an input of another shape": (
        lambda f: write_onnx_bytes(f, onnx_bytes(f), repos.tensor_input("input", [5])), "correct the card"
    ),
    "remote: a host that is not allowed": (
        lambda f: add_remote(f, "m", "http://models.test"), "EXPLAINERY_REMOTE_ALLOWED"
    ),
    "remote: a secret that is not there": (
        lambda f: add_remote(f, "m", FAR["url"], headers={"X-Key": "EXPLAINERY_SECRET_NOT_SET"}), "EXPLAINERY_SECRET_NOT_SET"
    ),
    "remote: an unknown model": (lambda f: add_remote(f, "m", FAR["url"], model="other"), "check model and version"),
    "remote: an unknown version": (lambda f: add_remote(f, "m", FAR["url"], version="7"), "check model and version"),
    "remote: an input of another name": (
        lambda f: add_remote(f, "m", FAR["url"], repos.tensor_input("x", [4])), "correct the card"
    ),
    "remote: an input too few": (
        lambda f: add_remote(f, "m", FAR["url"], repos.tensor_input("table", [2], "FP64"), model="two"), "correct the card"
    ),
    "remote: an input of another type": (
        lambda f: add_remote(f, "m", FAR["url"], repos.tensor_input("input", [4], "FP64")), "correct the card"
    ),
    "remote: an output of another name": (
        lambda f: add_remote(f, "m", FAR["url"], outputs=repos.output(2, "logits")), "correct the card"
    ),
    "stub: no form": (lambda f: write_stub(f, ""), "linear, product, max"),
    "stub: an unknown form": (lambda f: write_stub(f, 'form = ["linear"]'), "linear, product, max"),
    "stub: an unknown key": (lambda f: write_stub(f, 'form = "linear"\nweihgts = 1'), "weights"),
    "stub: weights of another size": (lambda f: write_stub(f, 'form = "linear"\nweights = [1, 2, 3]'), "4 numbers"),
}  # fmt: skip


@pytest.mark.parametrize("fault", UNUSABLE)
def test_an_unusable_file_fails_with_a_sentence(tmp_path: Path, fault: str) -> None:
    """It says what to do, holds no path and nothing from the file, and the next model loads."""
    write, advice = UNUSABLE[fault]
    write(tmp_path)
    repos.add_stub(tmp_path, "good", 4)
    lab = lab_over(tmp_path)
    for _ in range(2):
        with pytest.raises(ModelUnloadable) as error:
            lab.load("m")
        assert advice in error.value.detail
        assert error.value.detail.endswith(".")
        assert str(tmp_path) not in error.value.detail
        assert "secret" not in error.value.detail
        assert not re.search(r"/\w+/\w+", error.value.detail)
    assert not (tmp_path / "marker").exists()
    assert lab.models.resident == ()
    lab.load("good")


def test_the_traps_are_real(tmp_path: Path) -> None:
    """Where pickles are run, the marker appears: the test above would see it."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "marker")))  # noqa: S301  # our own bytes
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_settings_forbid_is_refused_before_the_file_is_read(tmp_path: Path, name: str) -> None:
    """`refuses` gives a reason for the catalogue, and None for a model that may be loaded."""
    for case in (case for case in CASES.values() if case.runtime == name):
        case.write(tmp_path)
        card = lab_over(tmp_path).repository.find("m", 1).card
        assert card is not None
        allowed = dataclasses.replace(
            load({}), factories=("nets", "runtime_nets"), allow_code_formats=True, remote_allowed=("127.0.0.1",)
        )
        assert RUNTIMES[name].refuses(card, allowed) is None
        reason = RUNTIMES[name].refuses(card, Settings())
        guarded = card.factory is not None or card.format in (*torch_runtime.CODE_FORMATS, "remote")
        assert (reason is not None and "EXPLAINERY_" in reason) is guarded


def test_a_sample_shows_what_the_card_says_wrongly(tmp_path: Path) -> None:
    repos.add_torch(tmp_path, "m", "nets:linear", {"features": 4}, FOUR, repos.output(3) + '[sample]\nfile = "s.npz"\n')
    np.savez(tmp_path / "m" / "1" / "s.npz", input=np.ones((2, 4)))
    with pytest.raises(ModelUnloadable, match="has 1 columns, its card says 3"):
        lab_over(tmp_path).load("m")


def test_a_sample_shows_an_output_that_is_not_there(tmp_path: Path) -> None:
    outputs = repos.output(3, "wrong") + '[sample]\nfile = "s.npz"\n'
    repos.add_torch(tmp_path, "m", "runtime_nets:answers", {"form": "dict"}, SIX, outputs)
    np.savez(tmp_path / "m" / "1" / "s.npz", input=np.ones((2, 6)))
    with pytest.raises(ModelUnloadable, match=r"on the card's own sample \(KeyError\)"):
        lab_over(tmp_path).load("m")


def test_a_model_that_mixes_its_rows_fails(tmp_path: Path) -> None:
    repos.add_torch(tmp_path, "m", "runtime_nets:one_for_all", {}, FOUR, repos.output(1))
    with pytest.raises(ModelFailed, match="ValueError"):
        lab_over(tmp_path).explain("m", Order("feature_ablation", {"input": np.ones((1, 4), np.float32)}, {}))


def test_an_onnx_model_that_mixes_its_rows_fails(tmp_path: Path) -> None:
    node = helper.make_node("ReduceSum", ["input", "axes"], ["score"], keepdims=1)
    weights = {"axes": np.array([0], dtype=np.int64)}
    made = repos.add_onnx  # its helper keeps the datatype of each weight
    made(tmp_path, "m", [node], weights, FOUR, repos.output(4), input=["n", 4], score=["m", 4])
    with pytest.raises(ModelFailed):
        lab_over(tmp_path).explain("m", Order("feature_ablation", {"input": np.ones((1, 4), np.float32)}, {}, target=0))


def test_an_infinite_gradient_is_not_published(tmp_path: Path) -> None:
    repos.add_torch(tmp_path, "m", "runtime_nets:root", {}, FOUR, repos.output(1))
    row = np.array([[0.0, 1.0, 4.0, 9.0]], np.float32)
    with pytest.raises(ModelOutputNotFinite, match="gradient"):
        lab_over(tmp_path).explain("m", Order("saliency", {"input": row}, {}))


def test_zipmap_outputs_are_refused_when_loaded(tmp_path: Path) -> None:
    """As classifiers of scikit-learn are exported by default: a list of dictionaries, not a tensor."""
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["input", "w"], ["scores"]),
            helper.make_node("ZipMap", ["scores"], ["score"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
        ],
        "zipmap",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 4])],
        [helper.make_value_info("score", maps)],
        [numpy_helper.from_array(W, "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    write_onnx_bytes(tmp_path, helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
    with pytest.raises(ModelUnloadable, match="ZipMap"):
        lab_over(tmp_path).load("m")


def test_numbers_on_a_gpu_are_whole_single_precision() -> None:
    """The settings that are switched for a call are switched back; they exist in CPU builds too."""
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32
    with torch_runtime.numerics(torch.device("cuda"), cudnn=False):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cudnn.enabled
    assert (torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32) == before


def test_onnx_takes_the_device_that_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnx_session.ort, "get_available_providers", lambda: both)
    assert onnx_session.providers("cuda:1")[0] == ("CUDAExecutionProvider", {"device_id": 1, "use_tf32": 0})
    assert onnx_session.providers("cpu") == ["CPUExecutionProvider"]
    monkeypatch.setattr(onnx_session.ort, "get_available_providers", lambda: both[1:])
    assert onnx_session.providers("cuda:0") == ["CPUExecutionProvider"]
