"""What the tests' worker offers: a few cards of every modality, and methods like the real ones."""

from __future__ import annotations

from typing import Any

from explainery.contract.catalogue import Availability, CheckSpec, MethodSpec, ModelEntry, Offer, Param
from explainery.contract.model_card import ModelCard

NO_GRADIENTS = "the onnx runtime answers predictions only."
FEATURES = Param(name="features", type="features", help="Groups.")

METHODS = (
    MethodSpec(
        name="exact_shapley", title="Exact", summary="s", asks=("values",), params=(FEATURES,), completeness=True,
        reference="Shapley 1953", max_players=16,
    ),
    MethodSpec(
        name="kernel_shap", title="Kernel", summary="s", asks=("values",), completeness=True, random=True, reference="r",
        params=(
            Param(name="samples", type="integer", default=2048, minimum=4, maximum=1_000_000, help="h", unit="calls"),
            Param(name="tolerance", type="number", default=0.01, minimum=0, maximum=1, help="h"),
            FEATURES,
        ),
    ),
    MethodSpec(
        name="integrated_gradients", title="IG", summary="s", asks=("gradients",), completeness=True, reference="r",
        params=(
            Param(name="tolerance", type="number", default=0.01, minimum=0, maximum=1, help="h"),
            Param(name="max_steps", type="integer", default=256, minimum=1, maximum=100_000, help="h"),
        ),
    ),
    MethodSpec(
        name="occlusion", title="Occlusion", summary="s", asks=("values",), completeness=False, reference="r",
        params=(Param(name="window", type="sizes", help="h"), Param(name="stride", type="sizes", help="h")),
    ),
    MethodSpec(
        name="owen", title="Owen", summary="s", asks=("values",), completeness=True, random=True, reference="r",
        params=(Param(name="hierarchy", type="tree", help="h"), FEATURES),
    ),
    MethodSpec(
        name="tcav", title="TCAV", summary="s", asks=("internals",), completeness=False, reference="r", level="job",
        params=(Param(name="sets", type="sets", help="h"),),
    ),
    MethodSpec(
        name="report", title="Report", summary="s", asks=("values",), completeness=False, reference="r", level="job",
    ),
    MethodSpec(
        name="predict", title="Prediction", summary="s", asks=("values",), completeness=False, reference="r", level="job",
    ),
)  # fmt: skip


CHECKS = (
    CheckSpec(
        name="deletion", title="Deletion", summary="s", reference="r",
        params=(Param(name="samples", type="integer", default=400, minimum=4, help="h"),),
    ),
    CheckSpec(
        name="stability", title="Stability", summary="s", reference="r", random_only=True,
        params=(Param(name="runs", type="integer", default=4, minimum=1, help="h"),),
    ),
    CheckSpec(name="randomisation", title="Randomisation", summary="s", reference="r", needs="weights"),
)  # fmt: skip


def card(inputs: list[dict[str, Any]], output: dict[str, Any], **more: Any) -> ModelCard:
    document = {"title": "A test model", "format": "stub", "inputs": inputs, "outputs": [output], **more}
    return ModelCard.model_validate(document)


CLASSES = {"name": "logits", "datatype": "FP32", "shape": (-1, 3), "kind": "logits", "labels": ("low", "mid", "high")}
PRICE = {"name": "price", "datatype": "FP32", "shape": (-1, 1), "kind": "regression"}

LOAN = card(
    [
        {
            "name": "row", "datatype": "FP32", "shape": (-1, 4), "modality": "tabular",
            "features": ("age", "income", "sex", "debt"), "categories": {"sex": ("f", "m")},
        }
    ],
    CLASSES,
    sample={"file": "sample.npz"},
)  # fmt: skip
DIGITS = card(
    [{"name": "input", "datatype": "FP32", "shape": (-1, 1, 8, 8), "modality": "image", "layout": "NCHW"}],
    {"name": "logits", "datatype": "FP32", "shape": (-1, 10), "kind": "logits"},
)
HOUSE = card([{"name": "row", "datatype": "FP32", "shape": (-1, 40), "modality": "tabular"}], PRICE)
PAIR = card(
    [
        {"name": "left", "datatype": "FP32", "shape": (-1, 2)},
        {"name": "right", "datatype": "INT64", "shape": (-1, -1)},
    ],
    CLASSES,
)
WAVES = card([{"name": "wave", "datatype": "FP32", "shape": (-1, 32), "modality": "series"}], CLASSES)
WORDS = card([{"name": "tokens", "datatype": "INT64", "shape": (-1, -1), "modality": "text", "tokenizer": "t.json"}], CLASSES)
BERT = card(
    [
        {"name": "ids", "datatype": "INT64", "shape": (-1, 16), "modality": "text", "tokenizer": "t.json"},
        {"name": "mask", "datatype": "INT64", "shape": (-1, 16), "modality": "text_mask"},
    ],
    CLASSES,
)


def methods_of(gradients: bool) -> dict[str, Availability]:
    works = Availability(available=True)
    cannot = Availability(available=False, reason=NO_GRADIENTS)
    return {spec.name: works if gradients or spec.asks == ("values",) else cannot for spec in METHODS}


def checks_of() -> dict[str, Availability]:
    cannot = Availability(available=False, reason="randomisation: the weights of a stub model cannot be shuffled here.")
    return {spec.name: cannot if spec.needs == "weights" else Availability(available=True) for spec in CHECKS}


def entry(name: str, model: ModelCard, version: int = 1, players: int | None = None, **more: Any) -> ModelEntry:
    values = {"runtime": "stub", "methods": methods_of(True), "checks": checks_of(), "digest": f"sha256:{version:064x}", **more}
    return ModelEntry(name=name, version=version, card=model, players=players, **values)


OFFER = Offer(
    methods=METHODS,
    checks=CHECKS,
    runtimes=(),
    models=(
        entry("loan", LOAN, 1, 4),
        entry("loan", LOAN, 2, 4),
        entry("digits", DIGITS, players=64),
        entry("house", HOUSE, players=40, methods=methods_of(False)),
        entry("pair", PAIR),
        entry("waves", WAVES, players=16),
        entry("words", WORDS),
        entry("bert", BERT),
        entry("broken", LOAN, players=4, fault="model.onnx is missing; put it beside card.toml.", methods={}),
    ),
)
