"""Figures of results over HTTP: the forms, what is refused, what is kept and forgotten."""

from __future__ import annotations

import dataclasses
import re
import sys
import threading
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from explainery.contract.errors import DrawingBusy
from explainery.settings import Settings
from service import figures
from service.app import create_app

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def job(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> str:
    submitted = client.post("/v1/explanations", json=loan).json
    assert worker.succeed(worker.take())
    return str(submitted["links"]["self"])


def test_every_form_says_the_same(client: FlaskClient, job: str) -> None:
    answer = client.get(f"{job}/figures/bars.json?row=1")
    assert answer.content_type == "application/json"
    figure = answer.json
    assert {row[0]: row[2] for row in figure["table"]["rows"]} == {"age": 4.0, "income": 5.0, "sex": 1.0, "debt": 6.0}
    assert {row[0]: row[1] for row in figure["table"]["rows"]} == {"age": "4", "income": "5", "sex": "m", "debt": "6"}
    svg = client.get(f"{job}/figures/bars.svg?row=1")
    assert svg.content_type.startswith("image/svg+xml")
    assert {float(found) for found in re.findall(r'aria-label="[^"]*: ([\d.]+)"', svg.text)} >= {4.0, 5.0, 1.0, 6.0}
    png = client.get(f"{job}/figures/bars.png?row=1")
    assert (png.content_type, png.data[:8]) == ("image/png", PNG)
    page = client.get(f"{job}/figures/bars.html?row=1")
    assert page.content_type == "text/html; charset=utf-8"
    assert figure["reading"] in page.text
    for drawn in (svg, png, page):
        assert drawn.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert drawn.headers["X-Content-Type-Options"] == "nosniff"


def test_auto_chooses_by_the_modality(client: FlaskClient, job: str) -> None:
    assert client.get(f"{job}/figures/auto.json").json["kind"] == "waterfall"


def test_an_unchanged_figure_is_not_sent_again(client: FlaskClient, job: str) -> None:
    first = client.get(f"{job}/figures/bars.svg")
    again = client.get(f"{job}/figures/bars.svg", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(f"{job}/figures/bars.svg?row=1", headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("pie.svg", 404, "unknown_figure", "waterfall"),
        ("bars.pdf", 404, "unknown_figure", ".svg"),
        ("heatmap.svg", 422, "figure_unfit", "bars"),
        ("bars.svg?row=2", 422, "invalid_request", "below 2"),
        ("bars.svg?row=-1", 422, "invalid_request", "row"),
        ("bars.svg?row=x", 422, "invalid_request", "row"),
        ("bars.svg?input=other", 422, "invalid_request", "there are: row"),
        ("bars.svg?layer=conv1", 422, "invalid_request", "there are: none"),
        ("bars.svg?colour=red", 422, "invalid_request", "colour"),
    ],
)
def test_what_cannot_be_drawn_is_refused(client: FlaskClient, job: str, path: str, status: int, code: str, says: str) -> None:
    answer = client.get(f"{job}/figures/{path}")
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert says in answer.json["detail"]


def test_a_job_that_has_not_ended_has_no_figure(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> None:
    job = client.post("/v1/explanations", json=loan).json["links"]["self"]
    answer = client.get(f"{job}/figures/bars.svg")
    assert (answer.status_code, answer.json["state"]) == (409, "queued")
    worker.fail(worker.take())
    answer = client.get(f"{job}/figures/bars.svg")
    assert (answer.status_code, answer.json["job_error"]["code"]) == (409, "model_failed")


def test_a_forgotten_job_has_no_figure(client: FlaskClient, app: Flask, worker: Any, job: str, job_keys: Any) -> None:
    assert client.get(f"{job}/figures/bars.svg").status_code == 200
    client.delete(job)
    assert client.get(f"{job}/figures/bars.svg").status_code == 410
    assert all(b"gone:" in key for key in job_keys())
    assert not app.extensions["explainery"].drawings._kept
    assert client.get("/v1/explanations/01AAAAAAAAAAAAAAAAAAAAAAAA/figures/bars.svg").status_code == 404


def test_without_the_extra_there_is_still_the_spec(client: FlaskClient, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    answer = client.get(f"{job}/figures/bars.svg")
    assert (answer.status_code, answer.json["code"]) == (501, "figures_unavailable")
    assert "explainery[figures]" in answer.json["detail"]
    assert client.get(f"{job}/figures/bars.json").json["spec"]["layer"]


def test_without_its_card_a_result_is_drawn_by_place(settings: Settings, worker: Any, job: str) -> None:
    """Another model of that name answers now: its words are not this result's."""
    models = tuple(entry.model_copy(update={"digest": "sha256:" + "f" * 64}) for entry in worker.offer.models)
    worker.offer = worker.offer.model_copy(update={"models": models})
    worker.announce()
    rows = create_app(settings).test_client().get(f"{job}/figures/bars.json").json["table"]["rows"]
    assert {row[0] for row in rows} == {"row[0]", "row[1]", "row[2]", "row[3]"}


@pytest.mark.parametrize("keep", [True, False])
def test_values_are_shown_as_long_as_inputs_are_kept(
    settings: Settings, offer: Any, hand_worker: Any, loan: Any, keep: bool
) -> None:
    chosen = dataclasses.replace(settings, keep_inputs=keep)
    worker = hand_worker(chosen, offer)
    worker.announce()
    client = create_app(chosen).test_client()
    job = client.post("/v1/explanations", json=loan).json["links"]["self"]
    assert worker.succeed(worker.take())
    worker.close()
    rows = client.get(f"{job}/figures/bars.json").json["table"]["rows"]
    assert {row[1] for row in rows} == ({"1", "2", "f", "3"} if keep else {None})


def test_at_most_two_draw_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "PATIENCE_S", 0.0)
    drawings, both_in, leave = figures.Drawings(), threading.Barrier(3), threading.Event()

    def slow() -> bytes:
        both_in.wait(timeout=10)
        leave.wait(timeout=10)
        return b"drawn"

    threads = [threading.Thread(target=drawings.drawn, args=((name,), slow)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    both_in.wait(timeout=10)
    with pytest.raises(DrawingBusy):
        drawings.drawn(("c",), lambda: b"")
    leave.set()
    for thread in threads:
        thread.join()
    assert drawings.drawn(("c",), lambda: b"third") == b"third"


def test_drawings_are_kept_for_a_moment() -> None:
    now = [0.0]
    drawings = figures.Drawings(clock=lambda: now[0])
    assert drawings.drawn(("a", 1), lambda: b"old") == b"old"
    now[0] = figures.KEPT_S - 1
    assert drawings.drawn(("a", 1), lambda: b"new") == b"old"
    now[0] = figures.KEPT_S
    assert drawings.drawn(("a", 1), lambda: b"new") == b"new"
    for place in range(figures.KEPT):
        drawings.drawn(("b", place), lambda: b"other")
    assert drawings.drawn(("a", 1), lambda: b"newer") == b"newer"
    drawings.drawn(("large",), lambda: b"x" * (figures.KEPT_BYTES + 1))
    assert drawings.drawn(("large",), lambda: b"anew") == b"anew"
