"""A job that no worker could hold is refused at the door, with how many rows would do."""

from __future__ import annotations

from base64 import b64encode

import pytest

from explainery.contract.catalogue import Offer
from explainery.contract.errors import PayloadTooLarge
from explainery.contract.job import JobRequest
from explainery.store.offers import merge
from service.admission import Terms, admit
from service.need import BYTES_PER_NUMBER, need_of
from service.rows import ANY, Rows
from service.shelf import Shelf

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()


def enter(offer: Offer, room_bytes: int | None, model: str, instances: list[object]) -> None:
    shelf = Shelf(offer.model_copy(update={"room_bytes": room_bytes}))
    request = JobRequest.model_validate({"method": "kernel_shap", "model": model, "instances": instances})
    admit(request, shelf, Terms(max_rows=100), job_id="0" * 26)


def test_a_job_within_the_room_enters(offer: Offer) -> None:
    rows = [[30, 2.5, 1, 7]] * 10
    enter(offer, 10 * 4 * BYTES_PER_NUMBER, "loan", rows)
    enter(offer, None, "loan", rows)


def test_a_larger_one_is_told_how_many_rows_would_do(offer: Offer) -> None:
    with pytest.raises(PayloadTooLarge, match="at most 9 rows") as refused:
        enter(offer, 10 * 4 * BYTES_PER_NUMBER - 1, "loan", [[30, 2.5, 1, 7]] * 10)
    assert (refused.value.limit, refused.value.unit) == (10 * 4 * BYTES_PER_NUMBER - 1, "bytes")


def test_small_files_of_large_pictures_count_as_pictures(offer: Offer) -> None:
    with pytest.raises(PayloadTooLarge):
        enter(offer, 1000, "digits", [{"b64": PNG, "media_type": "image/png"}] * 20)


def test_what_only_a_worker_can_tell_counts_as_nothing() -> None:
    assert need_of(Rows(7, {}, {"open": (3, ANY), "row": (2, 5)})) == 7 * 10 * BYTES_PER_NUMBER


def test_the_largest_worker_decides(offer: Offer) -> None:
    offers = [offer.model_copy(update={"room_bytes": room}) for room in (None, 5, 9, 3)]
    assert merge(offers).room_bytes == 9
    assert merge(offers[:1]).room_bytes is None
