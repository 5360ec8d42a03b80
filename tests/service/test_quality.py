"""The checks that a request asks for: known, complete, possible; what is not is refused at the door."""

from __future__ import annotations

from typing import Any

import pytest

from explainery.contract.errors import RequestRefused
from service.quality import read_quality
from service.shelf import Shelf

LOAN = {"model": "loan", "instances": [[1, 2, 0, 3], [2, 3, 1, 4]]}


def asked(enter: Any, quality: list[Any], **more: Any) -> dict[str, dict[str, Any]]:
    return {each.check: each.params for each in enter(**LOAN, quality=quality, **more).spec.quality}


def test_names_and_objects_become_complete_orders(enter: Any) -> None:
    found = asked(enter, ["deletion", {"check": "stability", "runs": 2}])
    assert found == {"deletion": {"samples": 400}, "stability": {"runs": 2}}
    assert asked(enter, [{"check": "deletion", "samples": 50}]) == {"deletion": {"samples": 50}}
    assert asked(enter, []) == {}


def test_their_evaluations_are_counted(enter: Any) -> None:
    """Two rows: 10 samples each; a deletion of 50 more each; the method 3 times more."""
    plain = enter(**LOAN, params={"samples": 10}).spec.effort
    assert plain == 20
    once = enter(**LOAN, params={"samples": 10}, quality=[{"check": "deletion", "samples": 50}]).spec.effort
    assert once == 20 + 2 * 50
    again = enter(**LOAN, params={"samples": 10}, quality=[{"check": "stability", "runs": 3}]).spec.effort
    assert again == 20 * 4
    sure = {"method": "occlusion", **LOAN}
    assert enter(**sure, quality=["stability"]).spec.effort == enter(**sure).spec.effort


REFUSED: dict[str, tuple[list[Any], str, str, str]] = {
    "a name that is none": (["deltion"], "unknown_check", "quality.0", "did you mean deletion"),
    "a name like no other": (["canary-0815"], "unknown_check", "quality.0", "there are: deletion"),
    "a parameter that is none": (
        [{"check": "deletion", "steps": 3}], "invalid_parameter", "quality.0.steps", "it takes: samples",
    ),
    "a parameter out of range": (
        ["stability", {"check": "deletion", "samples": 1}], "invalid_parameter", "quality.1.samples", "must be at least 4",
    ),
    "the same twice": (["deletion", {"check": "deletion"}], "invalid_parameter", "quality.1", "a second time"),
    "what the model cannot": (
        ["randomisation"], "check_unavailable", "quality.0", "cannot be shuffled here. Checks that work: del",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_refused_by_place(enter: Any, case: str) -> None:
    quality, code, loc, words = REFUSED[case]
    with pytest.raises(RequestRefused) as caught:
        asked(enter, quality)
    assert caught.value.code == code
    assert [error["loc"] for error in caught.value.errors] == [loc]
    assert words in caught.value.detail
    assert "canary" not in caught.value.detail


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"about": "layer"}, "those of a layer"),
        ({"about": "unit"}, "a unit inside"),
        ({"about": "maps"}, "only maps"),
        ({"level": "job"}, "for the job as a whole"),
    ],
)
def test_what_a_method_does_not_say_cannot_be_checked(offer: Any, change: dict[str, Any], why: str) -> None:
    shelf = Shelf(offer)
    method = shelf.methods["occlusion"].model_copy(update=change)
    with pytest.raises(RequestRefused, match=why) as caught:
        read_quality(["deletion"], method, {}, shelf.models["loan"][0], shelf)
    assert caught.value.code == "check_unavailable"


@pytest.mark.parametrize("wrong", ["deletion", [1], [{"name": "deletion"}], [["deletion"]], {"check": "deletion"}])
def test_a_list_of_names_or_objects_and_nothing_else(client: Any, loan: dict[str, Any], wrong: Any) -> None:
    answer = client.post("/v1/explanations", json={**loan, "quality": wrong})
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"loc": "quality", "msg": answer.json["errors"][0]["msg"]}]
    assert "must be a list of names of checks" in answer.json["detail"]


def test_the_catalogue_lists_them(client: Any) -> None:
    checks = client.get("/v1/quality-checks").json["checks"]
    assert [check["name"] for check in checks] == ["deletion", "stability", "randomisation"]
    assert checks[0]["params"][0]["default"] == 400
    loan = client.get("/v1/models/loan").json["versions"][0]
    assert loan["checks"]["deletion"]["available"] is True
    assert "shuffled" in loan["checks"]["randomisation"]["reason"]


def test_a_job_with_checks_is_admitted(client: Any, loan: dict[str, Any]) -> None:
    assert client.post("/v1/explanations", json={**loan, "quality": ["deletion"]}).status_code == 202
