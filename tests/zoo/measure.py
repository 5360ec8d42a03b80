"""Each file through the runtime itself: the gate's verdict, the gradient against central differences and against the source.

`python -m zoo.measure` (with `tests` on the path; `make zoo`) prints the table of all.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zoo.entries import Arrays, Entry, entries

from explainery.contract.model_card import ModelCard
from explainery.settings import Settings
from workers.plugins import Place
from workers.runtimes.onnx import load
from workers.runtimes.onnx.translate import Translation, read_model, translate

DATATYPES = {"float32": "FP32", "float64": "FP64", "int64": "INT64"}


@dataclass(frozen=True)
class Measured:
    """One file. `slope`: gradient against central differences in float64; `source`: against the torch net; both relative."""

    entry: Entry
    parity: float | None
    refusal: str
    approximate: bool
    slope: float | None
    source: float | None
    seconds: float


def cache() -> Path:
    """Where files are kept: below EXPLAINERY_HOME where it is set, else with the tests' own cache."""
    home = os.environ.get("EXPLAINERY_HOME")
    folder = Path(home) / "zoo" if home else Path(__file__).parents[2] / ".pytest_cache" / "zoo"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def content_of(entry: Entry) -> bytes:
    """The file, made on demand; made again when torch is another."""
    path = cache() / f"{entry.name}-torch{torch.__version__.partition('+')[0]}.onnx"
    if not path.exists():
        made = entry.make()
        if not entry.kept:
            return made
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(made)
        part.replace(path)
    return path.read_bytes()


def card_of(entry: Entry, model: Any, inputs: Arrays) -> ModelCard:
    """A card as its owner would write it, with a sample."""
    output = entry.output or model.graph.output[0].name
    return ModelCard(
        title=entry.name, format="onnx", file="m.onnx", score=output, sample={"file": "s.npz"},
        inputs=[
            {"name": name, "datatype": DATATYPES[array.dtype.name], "shape": (-1, *array.shape[1:])}
            for name, array in inputs.items()
        ],
        outputs=[{"name": output, "datatype": "FP32", "shape": (-1, -1)}],
    )  # fmt: skip


def measure(entry: Entry, scratch: Path) -> Measured:
    """Load the file as a worker does, and compare."""
    began = time.perf_counter()
    inputs, content = entry.inputs(), content_of(entry)
    model = read_model(content)
    card = card_of(entry, model, inputs)
    sample = scratch / "s.npz"
    np.savez(sample, **inputs)
    loaded = load(card, {"m.onnx": content, "s.npz": sample.read_bytes()}, Place("cpu", Settings(threads=1)))
    verdict = loaded.verdict
    if "gradients" in verdict.cannot:
        return Measured(entry, verdict.parity, verdict.cannot["gradients"], False, None, None, time.perf_counter() - began)
    whole = all(array.dtype.kind == "i" for array in inputs.values())
    source = None if whole else _against_source(entry, loaded, inputs)
    output = card.score_output.name
    slope = None if verdict.approximate else slope_error(translate(model, [output]), inputs, output)
    return Measured(entry, verdict.parity, "", bool(verdict.approximate), slope, source, time.perf_counter() - began)


def _against_source(entry: Entry, loaded: Any, inputs: Arrays) -> float | None:
    """The largest difference of gradients from the torch net's, as a share of the largest gradient."""
    if entry.source is None:
        return None
    leaves = [torch.from_numpy(np.array(array)).requires_grad_() for array in inputs.values()]
    outputs = entry.source()(*leaves)
    outputs = outputs.reshape(len(outputs), -1)
    expected = torch.autograd.grad(outputs[:, 0].sum(), leaves)
    _, found = loaded.gradients(inputs, np.zeros(len(outputs), dtype=np.int64))
    largest = max(float(gradient.abs().max()) for gradient in expected)
    return max(
        float(np.abs(found[name] - gradient.numpy()).max()) / max(largest, 1e-12)
        for name, gradient in zip(inputs, expected, strict=True)
    )


STEPS = (1e-6, 1e-7, 1e-8, 1e-5)
"""Of central differences: small ones meet rounding, large ones the kinks of rectifiers. The best one counts."""


def slope_error(translation: Translation, inputs: Arrays, output: str) -> float:
    """The largest relative difference of directional derivatives from central differences, in float64.

    Of what goes into a last Softmax, which may be saturated. Where all inputs are whole numbers, at the embeddings they pick.
    """
    graph = translation.graph.double()
    output = next((step.inputs[0] for step in graph.steps if output in step.outputs and step.label == "Softmax"), output)
    feeds = {name: torch.from_numpy(np.array(array)) for name, array in inputs.items()}
    feeds = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in feeds.items()}
    points = {name: tensor for name, tensor in feeds.items() if tensor.is_floating_point()} or _embedded(translation, feeds)
    rng = np.random.Generator(np.random.Philox(0))
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in points.items()}
    answer = graph.run(feeds, (output,), leaves)[output]
    weights = _way(answer, rng)
    slopes = torch.autograd.grad((answer * weights).sum(), list(leaves.values()), allow_unused=True, materialize_grads=True)

    def value(ways: dict[str, torch.Tensor], step: float) -> float:
        moved = {name: leaf + step * ways[name] for name, leaf in leaves.items()}
        return float((graph.run(feeds, (output,), moved)[output] * weights).sum())

    worst = 0.0
    for _ in range(2):
        ways = {name: _way(leaf, rng) for name, leaf in leaves.items()}
        found = float(sum((slope * ways[name]).sum() for name, slope in zip(leaves, slopes, strict=True)))
        best = np.inf
        with torch.no_grad():
            for step in STEPS:
                expected = (value(ways, step) - value(ways, -step)) / (2 * step)
                best = min(best, abs(found - expected) / max(abs(expected), 1e-3))
                if best < 1e-6:
                    break
        worst = max(worst, best)
    return worst


def _way(like: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    drawn: NDArray[np.float64] = rng.normal(size=tuple(like.shape))
    return torch.from_numpy(drawn)


def _embedded(translation: Translation, feeds: Any) -> dict[str, torch.Tensor]:
    """What the first look-up of floats puts out."""
    for step in translation.graph.steps:
        if step.label == "Gather" and set(step.inputs) & set(feeds):
            with torch.no_grad():
                found = translation.graph.run(feeds, step.outputs)[step.outputs[0]]
            if found.is_floating_point():
                return {step.outputs[0]: found}
    raise AssertionError("no embedding was found")


def main(argv: Sequence[str]) -> int:
    """Print a line per file, and the sums."""
    import tempfile

    torch.set_num_threads(1)
    chosen = [entry for entry in entries() if not argv or any(word in entry.name for word in argv)]
    results = []
    print(f"{'file':26} {'parity':>9} {'fp64 slope':>11} {'vs source':>10} {'s':>6}")
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for entry in chosen:
            found = measure(entry, Path(scratch))
            results.append(found)
            figures = [_figure(found.parity, 9), _figure(found.slope, 11), _figure(found.source, 10)]
            remark = found.refusal or "approximate" * found.approximate
            print(f"{entry.name:26} {' '.join(figures)} {found.seconds:6.1f} {remark}", flush=True)
    return _sums(results)


def _figure(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.1e'):>{width}}"


def _sums(results: Sequence[Measured]) -> int:
    smooth = [found for found in results if found.entry.name not in REFUSED]
    passed = [found for found in smooth if not found.refusal]
    slopes = [found.slope for found in passed if found.slope is not None]
    sources = sorted(found.source for found in passed if found.source is not None)
    print(f"\n{len(results)} files; {len(smooth)} with a gradient, of which {len(passed)} pass the gate")
    if passed:
        print(f"worst parity {max(found.parity or 0 for found in passed):.1e}; worst fp64 slope {max(slopes, default=0):.1e}")
    if sources:
        print(f"gradient against the source: median {sources[len(sources) // 2]:.1e}, worst {sources[-1]:.1e}")
    wrong = [found for found in passed if (found.slope or 0) > 1e-4]
    missing = [found for found in results if found.entry.name in REFUSED and not found.refusal]
    return int(bool(wrong or missing or len(passed) < 0.98 * len(smooth)))


REFUSED = frozenset({"sk-forest", "sk-boosting", "sk-svc", "sk-neighbours"})
"""Files without a usable gradient, which must be refused."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
