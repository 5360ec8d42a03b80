"""A loaded ONNX model: values by its session, gradients by a translation that has passed the parity gate."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Collection, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from explainery.contract.catalogue import QuestionKind, Verdict
from explainery.contract.errors import MethodUnavailable
from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import ModelCard
from workers.card_arrays import baselines_of, sample_of
from workers.inside.looking import Looking
from workers.inside.shuffling import weighted
from workers.plugins import Place, Shown
from workers.questions import Probe
from workers.runtimes.onnx.gate import parity
from workers.runtimes.onnx.hybrid import Hybrid
from workers.runtimes.onnx.refusal import Unequal, Untranslatable
from workers.runtimes.onnx.session import Arrays, OnnxSession, batches, graph_session
from workers.runtimes.onnx.translate import read_model, translate
from workers.runtimes.onnx.translated import Translated
from workers.runtimes.onnx.wood.grown import Grown
from workers.runtimes.onnx.wood.reading import checked, trees_of
from workers.whole import WeightFigures

log = structlog.get_logger()

HYBRIDS = 2
"""Sessions up to a layer that are kept: each holds the weights before its layer."""


class OnnxModel:
    """A session and its translation. `verdict`: what the parity gate measured, or why there are no gradients."""

    xp = np

    def __init__(self, card: ModelCard, files: Mapping[str, bytes], session: OnnxSession, place: Place) -> None:
        self._session = session
        self._card, self._place = card, place
        self._content, self._sample = files[str(card.file)], sample_of(card, files)
        self._translated, translation = _judged(card, files, session, place)
        self._grown, self.verdict = _wooded(card, self._content, session, translation)
        self._hybrids: OrderedDict[str, Hybrid | None] = OrderedDict()
        torch_version = {} if self._translated is None else {"torch": torch.__version__.partition("+")[0]}
        self.environment: Mapping[str, str | None] = {**session.environment, **torch_version}

    def place(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array itself: session and translation copy to their device."""
        return array

    def fetch(self, array: NDArray[Any]) -> NDArray[np.float64]:
        """The array as float64."""
        return np.asarray(array, dtype=np.float64)

    def forward(self, inputs: Arrays) -> NDArray[Any]:
        """Outputs [points, columns], by ONNX Runtime."""
        return self._session.forward(inputs)

    def gradients(self, inputs: Arrays, columns: NDArray[np.int64]) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """Outputs [points] and gradients [points, *row], by the translation. Raises MethodUnavailable where there is none."""
        if self._translated is None:
            raise MethodUnavailable(f"This model gives no gradients: {self.verdict.cannot['gradients']}.")
        return self._translated.gradients(self._session.feeds(inputs), columns)

    def shapley(
        self, inputs: Arrays, baselines: Arrays, columns: NDArray[np.int64], players: Mapping[str, NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        """Exact Shapley values [points, players], read off the trees. Raises MethodUnavailable where there are none."""
        grown, name = self._trees, self._card.inputs[0].name
        return grown.forest.shapley(inputs[name], baselines[name], grown.columns[columns], players[name])

    @property
    def link(self) -> str | None:
        """The function that makes the output of the trees' sum. Raises MethodUnavailable where there are no trees."""
        return self._trees.link

    def margins(self, inputs: Arrays, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The trees' sums behind the output columns, [points]. Raises MethodUnavailable where there are no trees."""
        return self._trees.margins(inputs[self._card.inputs[0].name], columns)

    @property
    def _trees(self) -> Grown:
        if self._grown is None:
            raise MethodUnavailable(f"This model cannot be read as trees: {self.verdict.cannot['trees']}.")
        return self._grown

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """Its layers, in the order in which they put out their results. Raises MethodUnavailable without a translation."""
        return self._looking.specs

    @property
    def weights(self) -> tuple[WeightFigures, ...]:
        """What its layers have learned, in figures. Raises MethodUnavailable without a translation."""
        return self._looking.weights

    def internals(
        self,
        inputs: Arrays,
        columns: NDArray[np.int64],
        probe: Probe,
        start: NDArray[Any] | None = None,
        references: Arrays | None = None,
    ) -> Shown:
        """What the probe shows; see `workers.plugins.Inside`. One layer's gradient alone is had the cheap way."""
        feeds = self._session.feeds(inputs)
        batch = self._session.batch
        if probe.paired and batch is not None:
            raise MethodUnavailable("It compares two rows in one pass, and the file takes a fixed number: export it for any.")
        beside = None if references is None else self._session.feeds(references)
        parts, done = [], 0
        for part, points in batches(feeds, batch):
            some = np.resize(columns[done : done + points], len(next(iter(part.values()))))
            begun = None if start is None else _filled(start[done : done + points], len(some))
            parts.append(_cut(self._asked(part, some, probe, begun, beside), points))
            done += points
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _asked(self, feeds: Arrays, columns: NDArray[np.int64], probe: Probe, start: Any, references: Any) -> Shown:
        hybrid = self._hybrid(probe)
        placed = self._inner.placed if hybrid is None else _as_they_are
        return self._looking.ask(
            placed(feeds),
            columns,
            probe,
            None if start is None else torch.as_tensor(start),
            None if references is None else placed(references),
            hybrid,
        )

    @cached_property
    def _looking(self) -> Looking:
        inner = self._inner
        return Looking(
            inner.net, self._card, self._sample, lambda rows: inner.placed(self._session.feeds(rows)), inner.device,
            self._session.batch, recurrent=inner.recurrent,
        )  # fmt: skip

    @property
    def weighted(self) -> tuple[str, ...]:
        """The layers whose weights can be shuffled, in order. Raises MethodUnavailable without a translation."""
        return weighted(self._inner.net.learned())

    def shuffled(self, layers: Collection[str], seed: int) -> OnnxModel:
        """The model with the weights of some layers permuted; see `workers.plugins.Shuffling`."""
        from workers.runtimes.onnx.shuffled import ShuffledOnnx  # a kind of this one

        return ShuffledOnnx(self, self._inner.shuffled(layers, seed))

    @property
    def _inner(self) -> Translated:
        if self._translated is None:
            raise MethodUnavailable(f"This model cannot be looked into: {self.verdict.cannot['internals']}.")
        return self._translated

    def _hybrid(self, probe: Probe) -> Hybrid | None:
        """The cheap way, where it answers the probe: one layer on CPU, nothing of the inputs. The last few layers are kept."""
        only_layers = not (probe.inputs or probe.rules or probe.unit or probe.start) and probe.of == "outputs"
        if len(probe.layers) != 1 or not only_layers or self._inner.device.type != "cpu":
            return None
        (layer,) = probe.layers
        if layer not in self._hybrids:
            while len(self._hybrids) >= HYBRIDS:
                self._hybrids.popitem(last=False)
            try:
                opened = partial(graph_session, place=self._place)
                self._hybrids[layer] = Hybrid(self._inner.net, layer, read_model(self._content), opened)
            except (
                Exception
            ) as error:  # a tensor that the file itself does not have, or ONNX Runtime does not give: all by torch
                log.info("no_hybrid", layer=layer, error=type(error).__name__)
                self._hybrids[layer] = None
        return self._hybrids[layer]


def _as_they_are(feeds: Arrays) -> dict[str, torch.Tensor]:
    """The arrays as tensors over the same memory: ONNX Runtime reads them next, in the order in which they are."""
    return {name: torch.from_numpy(array) for name, array in feeds.items()}


def _filled(array: NDArray[Any], count: int) -> NDArray[Any]:
    """The array filled up to so many rows by its last one."""
    return np.concatenate([array, np.repeat(array[-1:], count - len(array), axis=0)]) if len(array) < count else array


def _cut(shown: Shown, points: int) -> Shown:
    """The first points, as NumPy arrays."""

    def cut(tensor: Any) -> Any:
        return tensor[:points].detach().cpu().numpy()

    parts = {
        part: {name: cut(tensor) for name, tensor in getattr(shown, part).items()}
        for part in ("activations", "gradients", "inputs")
    }
    references = None if shown.references is None else cut(shown.references)
    statistics = None if shown.statistics is None else cut(shown.statistics)
    return Shown(
        cut(shown.outputs), cut(shown.scores), cut(shown.columns), **parts, references=references, statistics=statistics
    )


def _joined(parts: list[Shown]) -> Shown:
    joined = {
        part: {name: np.concatenate([getattr(each, part)[name] for each in parts]) for name in getattr(parts[0], part)}
        for part in ("activations", "gradients", "inputs")
    }
    outputs, scores, columns = (
        np.concatenate([getattr(each, name) for each in parts]) for name in ("outputs", "scores", "columns")
    )
    figures = [each.statistics for each in parts if each.statistics is not None]
    return Shown(outputs, scores, columns, **joined, statistics=np.concatenate(figures) if figures else None)


def _judged(
    card: ModelCard, files: Mapping[str, bytes], session: OnnxSession, place: Place
) -> tuple[Translated | None, Verdict]:
    """The translation where it passes the gate, and the verdict. Nothing that goes wrong here stops black-box questions."""
    output = card.score_output.name
    try:
        translation = translate(read_model(files[str(card.file)]), [output])
        translated = Translated(translation, output, place.device, session.batch)
        measured = parity(card, session, translated, sample_of(card, files), baselines_of(card, files))
    except Unequal as refusal:
        difference = min(refusal.difference, sys.float_info.max)  # JSON has no infinity
        return None, Verdict(cannot=_cannot(str(refusal)), parity=difference)
    except Untranslatable as refusal:
        return None, Verdict(cannot=_cannot(str(refusal)))
    except Exception as error:  # whatever a graph does when it runs: its gradients are refused, not its values
        notes = getattr(error, "__notes__", [""])
        reason = f"the translation fails ({type(error).__name__} {notes[0]})".replace(" )", ")")
        return None, Verdict(cannot=_cannot(reason))
    return translated, Verdict(parity=measured, approximate=translation.approximate, fixed_rows=session.batch)


def looked_at(card: ModelCard, content: bytes) -> Verdict:
    """What the file shows without being run: the operator that is missing, if one is."""
    try:
        verdict = Verdict(approximate=translate(read_model(content), [card.score_output.name]).approximate)
    except Untranslatable as refusal:
        verdict = Verdict(cannot=_cannot(str(refusal)))
    try:
        grown = trees_of(card, read_model(content))
    except Untranslatable as refusal:
        return _without_trees(verdict, refusal)
    except Exception as error:  # as below
        return _without_trees(verdict, _unreadable(error))
    return verdict.model_copy(update={"link": grown.link})


def _wooded(card: ModelCard, content: bytes, session: OnnxSession, verdict: Verdict) -> tuple[Grown | None, Verdict]:
    """The file's trees where they answer as ONNX Runtime does, and the verdict that says so."""
    try:
        grown = checked(trees_of(card, read_model(content)), card, session)
    except Untranslatable as refusal:
        return None, _without_trees(verdict, refusal)
    except Exception as error:  # a file may hold anything under these names: its trees are refused, not its values
        return None, _without_trees(verdict, _unreadable(error))
    return grown, verdict.model_copy(update={"link": grown.link})


def _unreadable(error: Exception) -> Untranslatable:
    return Untranslatable(f"the trees cannot be read ({type(error).__name__})")


def _without_trees(verdict: Verdict, refusal: Untranslatable) -> Verdict:
    """The verdict, and why there are no trees."""
    return verdict.model_copy(update={"cannot": {**verdict.cannot, "trees": str(refusal)}})


def _cannot(reason: str) -> dict[QuestionKind, str]:
    """What a model without a translation cannot answer."""
    return {"gradients": reason, "internals": reason}
