"""Lists of jobs, page by page."""

from itertools import chain

import pytest

from explainery.contract.errors import RequestRefused
from explainery.contract.job import JobState
from explainery.store import listing
from explainery.store.figures import look


def pages(ledger, limit=2, **filters):
    """All pages' ids."""
    asked = {"status": None, "model": None, "decision_id": None, **filters}
    cursor, found = None, []
    while True:
        page = ledger.jobs.page(**asked, cursor=cursor, limit=limit)
        found.append([job.id for job in page.jobs])
        if page.cursor is None:
            return found
        cursor = page.cursor


def test_the_newest_come_first_page_by_page(ledger):
    ids = [ledger.admit().id for _ in range(5)]
    assert pages(ledger) == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


def test_a_full_last_page_has_no_cursor(ledger):
    ids = [ledger.admit().id for _ in range(4)]
    assert pages(ledger) == [[ids[3], ids[2]], [ids[1], ids[0]]]


def test_nothing_is_one_empty_page(ledger):
    assert pages(ledger) == [[]]


def test_what_comes_in_between_shifts_no_page(ledger):
    ids = [ledger.admit().id for _ in range(4)]
    first = ledger.jobs.page(status=None, model=None, decision_id=None, cursor=None, limit=2)
    ledger.admit()
    ledger.jobs.forget(ids[2])
    second = ledger.jobs.page(status=None, model=None, decision_id=None, cursor=first.cursor, limit=2)
    assert [job.id for job in second.jobs] == [ids[1], ids[0]]


def test_filters_by_decision_model_and_state_together(ledger):
    wanted = ledger.admit(model="m", decision_id="d")
    ledger.admit(model="m")
    ledger.admit(model="n", decision_id="d")
    canceled = ledger.admit(model="m", decision_id="d")
    ledger.jobs.cancel(canceled.id)
    assert pages(ledger, decision_id="d", model="m", status=JobState.QUEUED) == [[wanted.id]]
    assert pages(ledger, decision_id="d", model="m", limit=9) == [[canceled.id, wanted.id]]
    assert pages(ledger, status=JobState.CANCELED) == [[canceled.id]]
    assert pages(ledger, decision_id="unknown") == [[]]


def test_a_sparse_filter_is_found_across_chunks(ledger, monkeypatch):
    monkeypatch.setattr(listing, "CHUNK", 3)
    ids = [ledger.admit(model="mn"[i % 5 == 0], decision_id="d").id for i in range(20)]
    assert list(chain(*pages(ledger, model="n", decision_id="d"))) == ids[15::-5]


def test_one_page_looks_only_so_far(ledger, monkeypatch):
    monkeypatch.setattr(listing, "CHUNK", 2)
    monkeypatch.setattr(listing, "LOOKS", 2)
    ids = [ledger.admit(model="m" if i % 2 else "n", decision_id="d" if i < 1 or i % 2 else None).id for i in range(12)]
    found = pages(ledger, model="n", decision_id="d")
    assert found[0] == []
    assert list(chain(*found)) == [ids[0]]


@pytest.mark.parametrize("cursor", ["", "x", "1.5", "é"])
def test_a_cursor_that_no_page_gave_is_refused(ledger, cursor):
    with pytest.raises(RequestRefused) as caught:
        ledger.jobs.page(status=None, model=None, decision_id=None, cursor=cursor, limit=2)
    assert caught.value.errors[0]["loc"] == "cursor"


def test_counts_by_state(ledger):
    ledger.succeed(ledger.running())
    ledger.running()
    ledger.admit()
    ledger.admit(priority="batch")
    figures = look(ledger.redis)
    assert set(figures.jobs) == set(JobState)
    assert {state: count for state, count in figures.jobs.items() if count} == {
        JobState.SUCCEEDED: 1,
        JobState.RUNNING: 1,
        JobState.QUEUED: 2,
    }
    assert {name: line.jobs for name, line in figures.lines.items()} == {"interactive": 1, "batch": 1}
    assert all(line.compute_s > 0 and line.groups == 1 for line in figures.lines.values())
    assert figures.running_of == {"default": 1}
    assert figures.input_bytes == 3 * len(b"inputs")
    assert (figures.counts["admitted"], figures.counts["ended_succeeded"]) == (4, 1)
    assert sum(figures.histograms["wait"].buckets.values()) == 2
    assert ledger.jobs.waiting() == 2
