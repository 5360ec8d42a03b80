"""What this worker offers: its methods, its runtimes, and every model of the repository with what works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from explainery.contract.catalogue import Availability, CheckSpec, MethodSpec, ModelEntry, Offer, RuntimeSpec, Verdict
from explainery.contract.errors import ExplaineryError
from explainery.contract.model_card import FLOATS, ModelCard
from explainery.contract.tables import lacks_table
from explainery.settings import Settings
from workers.features import partition_of
from workers.registry import Registry
from workers.repository import Found

WANTED = {
    "any": "that can be looked at",
    "map": "with a spatial map",
    "attention": "that computes attention weights",
}
"""What a method asks of a layer, in words."""


def offer_of(
    registry: Registry,
    models: Iterable[Found],
    settings: Settings,
    verdict_of: Callable[[str], Verdict | None] = lambda digest: None,
    room_bytes: int | None = None,
) -> Offer:
    """Say what can be asked of the models found; what has no usable card is not on offer.

    `verdict_of`: what is known of a digest's file. `room_bytes`: memory for a job's rows.
    """
    return Offer(
        methods=tuple(plugin.SPEC for _, plugin in sorted(registry.methods.items())),
        runtimes=tuple(plugin.SPEC for _, plugin in sorted(registry.runtimes.items())),
        models=tuple(_entry(found, registry, settings, verdict_of(found.digest)) for found in models if found.card is not None),
        checks=tuple(plugin.SPEC for _, plugin in sorted(registry.checks.items())),
        room_bytes=room_bytes,
    )


def _entry(found: Found, registry: Registry, settings: Settings, verdict: Verdict | None) -> ModelEntry:
    card = found.card
    assert card is not None  # noqa: S101  # the caller leaves out what has no card
    runtime = registry.runtime_of(card.format)
    fault = f"No runtime here loads format {card.format!r}." if runtime is None else runtime.refuses(card, settings)
    unserved = sorted({spec.modality for spec in card.sent} - set(registry.modalities))
    if unserved:
        fault = f"Inputs of modality {', '.join(unserved)} are not served here."
    if fault is None and verdict is not None:
        fault = verdict.refused
    return ModelEntry(
        name=found.name,
        version=found.version,
        digest=found.digest,
        runtime=runtime.SPEC.name if runtime else "",
        card=card,
        players=None if fault else _players(card, registry),
        methods={
            name: _availability(
                plugin.SPEC, card, _of_this_model(runtime.SPEC, card, verdict) if runtime else None, fault, verdict or Verdict()
            )
            for name, plugin in sorted(registry.methods.items())
        },
        checks={
            name: _check_availability(plugin.SPEC, card, runtime.SPEC if runtime else None, fault, verdict or Verdict())
            for name, plugin in sorted(registry.checks.items())
        },
        fault=fault,
        verdict=verdict and verdict.model_copy(update={"layers": None}),
    )


def _players(card: ModelCard, registry: Registry) -> int | None:
    """How many players the default feature groups make; None when a shape is open, or a text decides."""
    if any(spec.row_elements is None or spec.modality == "text" for spec in card.inputs):
        return None
    try:
        return partition_of(card, {spec.name: spec.row_shape for spec in card.inputs}, None, registry.modalities).players
    except ExplaineryError:
        return None


def _of_this_model(runtime: RuntimeSpec, card: ModelCard, verdict: Verdict | None) -> RuntimeSpec:
    """What the runtime answers of a model whose format, or whose file, shows that some questions cannot be."""
    return runtime.of_format(card.format).without(verdict.cannot if verdict else {})


def _availability(
    method: MethodSpec, card: ModelCard, runtime: RuntimeSpec | None, fault: str | None, verdict: Verdict
) -> Availability:
    if fault or runtime is None:
        return Availability(available=False, reason=fault)
    for kind in method.asks:
        if kind not in runtime.answers:
            why = runtime.cannot.get(kind, f"runtime {runtime.name} does not answer that")
            return Availability(available=False, reason=f"{method.name} asks for {kind}: {why}.")
    smooth = "gradients" in method.asks or method.smooth_inputs
    texts = [spec.name for spec in card.sent if spec.modality == "text"]
    if smooth and texts and "internals" not in runtime.answers:
        reason = f"{method.name} asks for gradients: those of the text {texts[0]} are taken at its embedding, and "
        return Availability(available=False, reason=f"{reason}{runtime.cannot.get('internals', 'this runtime has no layers')}.")
    whole = [spec.name for spec in card.sent if spec.datatype not in FLOATS and spec.modality != "text"]
    if smooth and whole:
        reason = f"{method.name} asks for gradients: input {', '.join(whole)} holds whole numbers, which have none."
        return Availability(available=False, reason=reason)
    if method.modality is not None and any(spec.modality != method.modality for spec in card.sent):
        reason = f"{method.name} explains inputs of modality {method.modality}; this model has others."
        return Availability(available=False, reason=reason)
    if lacks := (lacks_table(card) if method.table else None) or _lacking(method, verdict):
        return Availability(available=False, reason=f"{method.name} {lacks}.")
    return Availability(available=True)


def _check_availability(
    check: CheckSpec, card: ModelCard, runtime: RuntimeSpec | None, fault: str | None, verdict: Verdict
) -> Availability:
    if fault or runtime is None:
        return Availability(available=False, reason=fault)
    reason = None
    if check.needs == "smooth":
        whole = [spec.name for spec in card.inputs if spec.datatype not in FLOATS]
        reason = f"input {', '.join(whole)} holds whole numbers, which cannot be moved a little" if whole else None
    elif check.needs == "weights" and card.format not in runtime.shuffles:
        reason = f"the weights of a {card.format} model cannot be shuffled here"
    elif check.needs == "weights" and "gradients" in verdict.cannot:
        reason = f"weights are shuffled in a translation to torch, and there is none: {verdict.cannot['gradients']}"
    return Availability(available=reason is None, reason=reason and f"{check.name}: {reason}.")


def _lacking(method: MethodSpec, verdict: Verdict) -> str | None:
    """What the model's inside lacks for the method, as far as it is known."""
    layers = verdict.layers
    if method.layer is not None and layers is not None and not any(layer.is_a(method.layer) for layer in layers):
        return f"needs a layer {WANTED[method.layer]}; the model has none"
    if method.pairs and verdict.fixed_rows is not None:
        return f"compares two rows in one pass; the file takes {verdict.fixed_rows} at a time: export it for any number"
    return None
