"""Ids sort by time and do not repeat."""

import re

from explainery.store.ids import new_job_id


def test_an_id_is_a_ulid() -> None:
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_job_id())


def test_ids_sort_by_the_time_they_were_made_and_differ() -> None:
    ids = [new_job_id() for _ in range(2000)]
    times = [made[:10] for made in ids]
    assert times == sorted(times)
    assert len(set(ids)) == len(ids)
