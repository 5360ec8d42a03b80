"""An undocumented setting, method, parameter or error code is a red test; and pages are true where that can be checked."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from blocks import blocks

from explainery.contract import errors
from explainery.contract.actionability import Actionability
from explainery.contract.auto import AUTO
from explainery.contract.catalogue import MethodSpec
from explainery.contract.errors import ComputeError, ExplaineryError
from explainery.contract.job import JobRequest
from explainery.contract.model_card import ModelCard, parse_card
from explainery.contract.remote_card import RemoteSpec
from explainery.figures.gallery import KINDS
from explainery.settings import Settings, variable
from service.problems import DETAILS, STATUSES
from workers.registry import discover

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]
METHODS: list[MethodSpec] = [AUTO, *(plugin.SPEC for plugin in discover().methods.values())]


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def kinds(of: type[ExplaineryError]) -> Iterator[type[ExplaineryError]]:
    yield of
    for kind in of.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from kinds(kind)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date(generate: ModuleType):
    for path, page in generate.pages().items():
        assert path.read_text(encoding="utf-8") == page, f"{path.name} is out of date: run python docs/generate.py"


@pytest.mark.parametrize("name", [entry.name for entry in dataclasses.fields(Settings)])
def test_every_setting_is_documented(name: str):
    assert f"| `{variable(name)}` |" in text("operations.md")


@pytest.mark.parametrize("spec", METHODS, ids=lambda spec: spec.name)
def test_every_method_and_parameter_is_documented(spec: MethodSpec):
    section = text("methods.md").partition(f"\n## {spec.name}\n")[2].partition("\n## ")[0]
    assert spec.summary in section
    for param in spec.params:
        assert f"| `{param.name}` |" in section


@pytest.mark.parametrize("kind", sorted(kinds(ExplaineryError), key=lambda kind: kind.code), ids=lambda kind: kind.code)
def test_every_error_code_is_documented(kind: type[ExplaineryError]):
    (row,) = re.findall(rf"^\| `{kind.code}` \| (.*) \|$", text("errors.md"), re.MULTILINE)
    fault_of_an_installation = kind in (errors.SettingsInvalid, errors.CardInvalid)
    if not issubclass(kind, ComputeError) and not fault_of_an_installation:
        status = next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)
        assert row.startswith(f"{status} | "), f"{kind.code} answers {status}"


def test_no_code_is_documented_that_does_not_exist():
    named = set(re.findall(r"^\| `(\w+)` \|", text("errors.md"), re.MULTILINE))
    assert named == {kind.code for kind in kinds(ExplaineryError)}
    for status, (code, _) in DETAILS.items():
        assert f"`{code}`" in text("errors.md"), status


def test_every_field_of_a_request_is_documented():
    for name in JobRequest.model_fields:
        assert f"| `{name}` |" in text("wire.md")


def test_the_request_of_the_wire_page_is_one():
    (request,) = [block.code for block in blocks(text("wire.md")) if block.language == "json" and '"params"' in block.code][:1]
    assert JobRequest.model_validate(json.loads(request)).method == "integrated_gradients"


def test_the_cards_of_the_wire_page_are_some():
    local, table, words, remote = [block.code for block in blocks(text("wire.md")) if block.language == "toml"]
    for card in (local, table, words, remote):
        assert isinstance(parse_card(card), ModelCard)
    assert [spec.name for spec in parse_card(words).sent] == ["input_ids"]
    assert set(tomllib.loads(table)["inputs"][0]["actionability"]) == set(Actionability.model_fields)
    told = tomllib.loads(remote)["remote"]
    assert set(told) == set(RemoteSpec.model_fields)
    defaults = {name: field.default for name, field in RemoteSpec.model_fields.items()}
    assert all(told[name] == defaults[name] for name in ("batch", "concurrency", "timeout_s", "retries", "protocol"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    pages = {other: anchors(other) for other in PAGES}
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in pages[there], f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path):
    for name in re.findall(
        r"`((?:explainery|service|workers|tests|docs|deploy|examples)/[\w./-]+)`", page.read_text(encoding="utf-8")
    ):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_licence_is_the_whole_text():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "APPENDIX: How to apply the Apache License to your work." in licence
    assert len(licence) > 11000


@pytest.mark.parametrize("kind", ["auto", *KINDS])
def test_every_kind_of_figure_is_documented(kind: str):
    assert f"| `{kind}` |" in text("figures.md")
