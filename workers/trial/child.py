"""What happens inside a trial: load as a worker does, call once, and say what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import IO

import numpy as np

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ExplaineryError
from explainery.contract.model_card import ModelCard, parse_card
from explainery.contract.tensors import NUMPY_NAMES
from explainery.settings import Settings
from workers.device import ran_out_of_memory
from workers.loading import Opened, opened
from workers.named_layers import layers_seen
from workers.plugins import Place
from workers.registry import Registry, discover_runtimes
from workers.repository import CARD
from workers.trial import parcel
from workers.trial.cage import attempts, close, forget_peak, peak_bytes


def begin(stream: IO[bytes]) -> Callable[[], Verdict]:
    """Read the parcel and import what loading needs; gives the trial itself."""
    settings, files = parcel.read(stream)
    registry = discover_runtimes(settings.plugins)
    return lambda: judge(settings, files, registry)


def judge(settings: Settings, files: Mapping[str, bytes], registry: Registry) -> Verdict:
    """Load the model and call it, within the limits. Whatever it raises becomes a refusal; its words are not repeated."""
    close(settings)
    forget_peak()
    before = peak_bytes()
    try:
        card = parse_card(files[CARD].decode("utf-8"))
        model = opened(card, files, registry, Place("cpu", settings))
        warmed(card, model)
        layers = layers_seen(model.model)
    except BaseException as error:  # SystemExit of a file's own code too
        return Verdict(refused=_reason(error, settings))
    known = model.verdict or Verdict()
    return known.model_copy(update={"need_bytes": max(0, peak_bytes() - before) or None, "layers": layers})


def warmed(card: ModelCard, loaded: Opened) -> None:
    """Call a model without a sample on one row of zeros, where the card says how long it is. Raises MemoryError.

    Zeros may be no input at all for it: any other failure is not held against the model.
    """
    if loaded.sample or any(spec.row_elements is None for spec in card.inputs):
        return
    try:
        rows = {spec.name: np.zeros((1, *spec.row_shape), NUMPY_NAMES[spec.datatype]) for spec in card.inputs}
        loaded.model.fetch(loaded.model.forward({name: loaded.model.place(row) for name, row in rows.items()}))
    except Exception as error:
        if out_of_memory(error):
            raise MemoryError from error


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or what caused it, says that memory ran out."""
    return any(ran_out_of_memory(each) for each in _chain(error))


def _reason(error: BaseException, settings: Settings) -> str:
    if out_of_memory(error):
        return too_large(settings)
    detail = f"Opening the model ended with {type(error).__name__}. Check it with `explainery models check`."
    if isinstance(error, ExplaineryError):
        detail = error.detail
    if attempts:
        detail += f" It attempted {attempts[0]}: a trial has no network, starts no process and writes no file."
    return detail


def too_large(settings: Settings) -> str:
    """The reason of a model that asked for more memory than a trial has."""
    return (
        f"The model is not taken in: in its trial it needed more than {settings.trial_bytes} bytes. "
        "If that is right for this model, raise EXPLAINERY_TRIAL_BYTES."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
