"""Named tensors of a request (Open Inference Protocol) -> the rows of a job, checked against the model's card."""

from __future__ import annotations

from explainery.contract.errors import InvalidInput
from explainery.contract.job import TensorIn
from explainery.contract.model_card import InputSpec, ModelCard
from explainery.contract.tensors import tensor_from_json
from service.faults import fault
from service.rows import Rows, check_count, check_none_filled, check_row_shape


def read_tensors(tensors: list[TensorIn], card: ModelCard, max_rows: int) -> Rows:
    """The rows that named tensors hold.

    Raises InvalidInput on a wrong name, datatype, rank, shape or row count, InputNotFinite, PayloadTooLarge.
    """
    _check_names(tensors, card)
    for index, tensor in enumerate(tensors):
        _check_form(tensor, card.input(tensor.name), max_rows, f"inputs.{index}")
    counts = {tensor.shape[0] for tensor in tensors}
    if len(counts) > 1:
        raise fault(InvalidInput, "inputs", "must all have the same number of rows, the first number of their shapes")
    arrays = {
        f"input/{tensor.name}": tensor_from_json(tensor.datatype, tensor.shape, tensor.data, f"inputs.{index}")
        for index, tensor in enumerate(tensors)
    }
    return Rows(counts.pop(), arrays, {tensor.name: tuple(tensor.shape[1:]) for tensor in tensors})


def _check_names(tensors: list[TensorIn], card: ModelCard) -> None:
    check_none_filled([tensor.name for tensor in tensors], card, "inputs")
    wanted = [spec.name for spec in card.sent]
    if sorted(tensor.name for tensor in tensors) != sorted(wanted):
        raise fault(InvalidInput, "inputs", f"must hold exactly one tensor for each of the model's inputs: {', '.join(wanted)}")


def _check_form(tensor: TensorIn, spec: InputSpec, max_rows: int, loc: str) -> None:
    """Check what can be said without looking at the numbers."""
    if tensor.datatype != spec.datatype:
        raise fault(InvalidInput, f"{loc}.datatype", f"must be {spec.datatype} for input {spec.name}")
    if not tensor.shape:
        raise fault(InvalidInput, f"{loc}.shape", "must begin with the number of rows")
    check_row_shape(spec, tuple(tensor.shape[1:]), f"{loc}.shape")
    if any(size < 1 for size in tensor.shape[1:]):
        raise fault(InvalidInput, f"{loc}.shape", "must hold sizes >= 1")
    check_count(tensor.shape[0], max_rows, f"{loc}.shape")
