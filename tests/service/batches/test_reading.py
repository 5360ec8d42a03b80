"""Every form of input can be read from any line on, and says where it cannot be read at all."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from explainery.contract.batches import BatchFault
from service.batches.checking import check
from service.batches.lines import MOST_BLANK, JsonLines, Reader, UnusableInput
from service.batches.tables import CsvRows, ParquetRows, columns_of

CSV = 'a,custom_id,kind\r\n1,"first, with ""quotes""",low\r\n\r\n2.5,"second\nin two lines",high\n-3e2,third,1\n'


@pytest.fixture
def columns(offer: Any) -> Any:
    (loan,) = [entry.card for entry in offer.models if entry.name == "loan" and entry.version == 1]
    spec = loan.inputs[0].model_copy(update={"features": ("kind", "a"), "categories": {"kind": ("low", "high")}})
    return columns_of(loan.model_copy(update={"inputs": (spec,)}), {"model": "loan"})


def jsonl(count: int) -> bytes:
    made = [{"custom_id": f"r{n}", "method": "POST", "url": "/v1/explanations", "body": {"n": n}} for n in range(count)]
    return (
        b"\n".join(json.dumps(each).encode() for each in made[:3])
        + b"\n\n \n"
        + b"\n".join(json.dumps(each).encode() for each in made[3:])
    )


def again_from_everywhere(reader: Reader, stream: Any) -> list[Any]:
    """All lines; from each position on there are the rest of them."""
    everything = list(reader.read(stream, 0, 0))
    for number, (position, _) in enumerate(everything, 1):
        assert list(reader.read(stream, position, number)) == everything[number:]
    return [line for _, line in everything]


def test_json_lines():
    lines = again_from_everywhere(JsonLines(), io.BytesIO(jsonl(7)))
    assert [(line.custom_id, line.body["n"]) for line in lines] == [(f"r{n}", n) for n in range(7)]
    assert again_from_everywhere(JsonLines(), io.BytesIO(b"\xef\xbb\xbf" + jsonl(7))) == lines


def test_csv(columns: Any):
    lines = again_from_everywhere(CsvRows(columns), io.BytesIO(("\ufeff" + CSV).encode()))
    assert [line.custom_id for line in lines] == ['first, with "quotes"', "second\nin two lines", "third"]
    rows = [line.body["instances"] for line in lines]
    assert rows == [[{"a": 1, "kind": "low"}], [{"a": 2.5, "kind": "high"}], [{"a": -300.0, "kind": 1}]]
    assert lines[0].body["model"] == "loan"


def test_csv_with_a_mark_of_its_bytes_order_and_quoted_names(columns: Any):
    text = '\ufeff"a","custom_id","kind"\n"1","first","low"\n"2","second","high"\n'
    lines = again_from_everywhere(CsvRows(columns), io.BytesIO(text.encode()))
    assert [line.body["instances"] for line in lines] == [[{"a": 1, "kind": "low"}], [{"a": 2, "kind": "high"}]]


def test_a_file_of_nothing_ends_its_reading(columns: Any):
    blank = b"\n" * (MOST_BLANK + 10)
    for reader, begins in ((JsonLines(), b""), (CsvRows(columns), b"kind,a\n")):
        stream = io.BytesIO(begins + blank * 2)
        with pytest.raises(UnusableInput) as caught:
            next(reader.read(stream, 0, 0), None)
        assert caught.value.code == "too_many_blank_lines"
        assert stream.tell() < len(begins) + len(blank)


def test_rows_without_a_name_are_numbered(columns: Any):
    lines = again_from_everywhere(CsvRows(columns), io.BytesIO(b"kind,a\nlow,1\n\nlow,2\n"))
    assert [line.custom_id for line in lines] == ["row-0", "row-1"]


def test_parquet(columns: Any, tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"kind": ["low", "high"] * 5, "a": [n / 2 for n in range(10)], "custom_id": list(range(10))})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=3)
    with (tmp_path / "t.parquet").open("rb") as stream:
        lines = again_from_everywhere(ParquetRows(columns), stream)
    assert [line.custom_id for line in lines] == [str(n) for n in range(10)]
    assert lines[3].body["instances"] == [{"kind": "high", "a": 1.5}]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"kind\nlow\n", "missing_columns"),
        (b"kind,a,more\nlow,1,1\n", "unknown_columns"),
        (b"kind,a,a\nlow,1,1\n", "unknown_columns"),
        (b"kind,a\nlow\n", "invalid_csv"),
        (b'kind,a\n"low,1\n', "invalid_csv"),
        (b"kind,a\n\xff,1\n", "invalid_csv"),
        (b"", "missing_columns"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(columns: Any, text: bytes, code: str):
    with pytest.raises(UnusableInput) as caught:
        list(CsvRows(columns).read(io.BytesIO(text), 0, 0))
    assert caught.value.code == code


def test_no_parquet_says_so(columns: Any):
    pytest.importorskip("pyarrow")
    with pytest.raises(UnusableInput) as caught:
        list(ParquetRows(columns).read(io.BytesIO(b"PAR1 and no more"), 0, 0))
    assert caught.value.code == "invalid_parquet"


def test_a_model_without_a_named_table_takes_none(offer: Any):
    (digits,) = [entry.card for entry in offer.models if entry.name == "digits"]
    with pytest.raises(UnusableInput):
        columns_of(digits, {})


def test_checking_counts_and_finds_what_comes_twice():
    assert list(check(JsonLines(), io.BytesIO(jsonl(7)))) == [7]
    fault = list(check(JsonLines(), io.BytesIO(jsonl(7) + b"\n" + jsonl(5).splitlines()[1])))[-1]
    assert isinstance(fault, BatchFault)
    assert (fault.code, fault.line, fault.param) == ("duplicate_custom_id", 8, "custom_id")


def test_checking_looks_up_after_a_few_megabytes_however_few_lines_they_are():
    stream = io.BytesIO(
        b"".join(
            b'{"custom_id": "%d", "method": "POST", "url": "/v1/explanations", "body": "%s"}\n' % (n, b"x" * 2**20)
            for n in range(12)
        )
    )
    places = [stream.tell() for _ in check(JsonLines(), stream)]
    assert max(b - a for a, b in zip([0, *places], places, strict=False)) < 6 * 2**20


def test_checking_holds_no_file_and_no_names_in_memory(tmp_path: Path):
    path = tmp_path / "many.jsonl"
    with path.open("wb") as file:
        for n in range(50_000):
            file.write(b'{"custom_id": "%064d", "method": "POST", "url": "/v1/explanations", "body": {}}\n' % n)
    tracemalloc.start()
    try:
        with path.open("rb") as stream:
            assert list(check(JsonLines(), stream))[-1] == 50_000
        assert tracemalloc.get_traced_memory()[1] < 2**20 < path.stat().st_size
    finally:
        tracemalloc.stop()
