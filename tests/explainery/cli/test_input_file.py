from __future__ import annotations

import base64
import json
from pathlib import Path

import click
import numpy as np
import pytest

from explainery.cli.input_file import read


def test_csv_with_a_header_gives_named_rows(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("age,sex,income\n41, f ,1200.5\n7,m,0\n")
    assert read(path) == [{"age": 41, "sex": "f", "income": 1200.5}, {"age": 7, "sex": "m", "income": 0}]


def test_csv_without_a_header_gives_plain_rows(tmp_path: Path):
    path = tmp_path / "rows.CSV"
    path.write_text("1,2.5\n3,4\n")
    assert read(path) == [[1, 2.5], [3, 4]]


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ([[1, 2]], [[1, 2]]),
        ({"instances": [[1, 2]]}, [[1, 2]]),
        ({"inputs": [{"name": "x"}]}, [{"name": "x"}]),
        ({"age": 41}, [{"age": 41}]),
    ],
)
def test_json(tmp_path: Path, document: object, rows: object):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(document))
    assert read(path) == rows


def test_npz_with_one_array_may_have_any_name(tmp_path: Path):
    np.savez(tmp_path / "one.npz", whatever=np.ones((2, 3)))
    np.savez(tmp_path / "two.npz", a=np.ones((2, 3)), b=np.ones(2))
    assert read(tmp_path / "one.npz").shape == (2, 3)
    assert set(read(tmp_path / "two.npz")) == {"a", "b"}


def test_an_image_travels_as_it_is(tmp_path: Path):
    (tmp_path / "cat.JPG").write_bytes(b"jpeg bytes")
    assert read(tmp_path / "cat.JPG") == [{"b64": base64.b64encode(b"jpeg bytes").decode(), "media_type": "image/jpeg"}]


def test_a_text_per_line(tmp_path: Path):
    (tmp_path / "texts.txt").write_text("\ufefffirst text\n\n  \nsecond, grün\n", encoding="utf-8")
    assert read(tmp_path / "texts.txt") == ["first text", "second, grün"]
    (tmp_path / "texts.txt").write_text("\n")
    with pytest.raises(click.BadParameter):
        read(tmp_path / "texts.txt")


@pytest.mark.parametrize("name", ["rows.json", "rows.npz", "rows.csv", "rows.xlsx", "missing.csv"])
def test_what_cannot_be_read_is_said_without_its_content(tmp_path: Path, name: str):
    if name != "missing.csv":
        (tmp_path / name).write_text('{"secret": 4711\n1,2\n')
    with pytest.raises(click.BadParameter) as raised:
        read(tmp_path / name)
    assert name in raised.value.message
    assert "4711" not in raised.value.message


def test_ragged_csv_is_refused(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("1,2\n3\n")
    with pytest.raises(click.BadParameter):
        read(tmp_path / "rows.csv")
