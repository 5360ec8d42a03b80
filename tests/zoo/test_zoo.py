"""The zoo's small files, loaded as a worker loads them; `make zoo` measures all."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from zoo.entries import SHORT, Entry, entries
from zoo.exports import DYNAMO
from zoo.measure import REFUSED, measure

ENTRIES = entries()
SMALL = {entry.name: entry for entry in ENTRIES if entry.short}


def test_there_are_enough_files() -> None:
    assert len(ENTRIES) - len(REFUSED) >= (90 if DYNAMO else 60)
    assert {entry.name for entry in ENTRIES if entry.refused or entry.name == "sk-neighbours"} == REFUSED
    missing = SHORT - set(SMALL)
    assert all("export" in name for name in missing)
    assert not (DYNAMO and missing)


@pytest.mark.parametrize("entry", SMALL.values(), ids=SMALL.keys())
def test_a_file_has_the_gradients_of_its_source(entry: Entry, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters and converters, about themselves
        found = measure(entry, tmp_path)
    if entry.name in REFUSED:
        assert entry.refused in found.refusal
        return
    assert found.refusal == ""
    assert found.parity is not None
    assert found.parity < 1e-5
    assert found.slope is None or found.slope < 1e-4
    assert found.source is None or found.source < 1e-5
    assert found.approximate is entry.name.startswith(("qdq", "qop", "dynamic"))
