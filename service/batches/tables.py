"""Tables as input: CSV and Parquet. A row is a line; its columns are the features of the card, one may be `custom_id`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from explainery.contract.model_card import InputSpec, ModelCard
from service.batches.lines import BYTE_ORDER_MARK, LINE_BYTES, Blanks, Line, UnusableInput, checked_id
from service.table_row import has_names

CUSTOM_ID = "custom_id"
STRIDE = 1024
NO_PYARROW = 'Parquet is not read here: an operator installs it with pip install "explainery[parquet]". CSV and JSONL are.'


@dataclass(frozen=True)
class Columns:
    """What a table is read for. `shared`: the fields of the request that all rows share."""

    shared: dict[str, Any]
    spec: InputSpec

    def check(self, names: Sequence[str]) -> None:
        """Raise UnusableInput unless these are the features, in any order, and perhaps `custom_id`."""
        features = self.spec.features or ()
        missing = [feature for feature in features if feature not in names]
        if missing:
            raise UnusableInput("missing_columns", f"The table lacks the columns: {', '.join(missing[:8])}.")
        more = len(set(names) - set(features) - {CUSTOM_ID})
        if more or len(set(names)) < len(names):
            raise UnusableInput("unknown_columns", "The table has columns that are no features of the model, or one twice.")

    def line(self, number: int, row: dict[str, Any]) -> Line:
        """A row as a request."""
        said = row.pop(CUSTOM_ID, None)
        custom_id = f"row-{number}" if said is None else checked_id(said if isinstance(said, str) else str(said))
        return Line(custom_id, {**self.shared, "instances": [row]})

    def number(self, feature: str, cell: str) -> Any:
        """A cell of text as what it says; the text itself where that is no number, which admission then refuses."""
        if cell in self.spec.categories.get(feature, ()):
            return cell
        if self.spec.datatype == "BOOL":
            return {"true": True, "false": False, "1": True, "0": False}.get(cell.strip().lower(), cell)
        for kind in (int, float):
            try:
                return kind(cell)
            except ValueError:
                continue
        return cell


def columns_of(card: ModelCard, shared: dict[str, Any]) -> Columns:
    """What a table for a model must have. Raises UnusableInput for models that take no table."""
    if len(card.sent) != 1 or not has_names(card.sent[0]):
        raise UnusableInput("no_table", "The model has no single table of named features as its input; send JSONL.", "request")
    return Columns(shared, card.sent[0])


class CsvRows:
    """Comma-separated values in UTF-8, by RFC 4180, with a line of names. Positions are bytes."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def read(self, stream: Any, position: int, number: int) -> Iterator[tuple[int, Line]]:
        """See `Reader`."""
        stream.seek(0)
        text = _Text(stream)
        rows = csv.reader(text, strict=True)
        try:
            names = [name.strip() for name in next(rows, [])]
            self._columns.check(names)
            if position:
                text.go_to(position)
            blanks = Blanks()
            for cells in rows:
                if not cells:
                    blanks.seen()
                    continue
                blanks.over()
                yield text.position, self._line(number, names, cells)
                number += 1
        except csv.Error:
            raise UnusableInput("invalid_csv", "The row is not CSV: its quotes do not match, or a cell is very long.") from None

    def _line(self, number: int, names: list[str], cells: list[str]) -> Line:
        if len(cells) != len(names):
            raise UnusableInput("invalid_csv", f"The row has {len(cells)} cells, the table has {len(names)} columns.")
        pairs = zip(names, cells, strict=True)
        row = {name: cell if name == CUSTOM_ID else self._columns.number(name, cell) for name, cell in pairs}
        return self._columns.line(number, row)


class _Text:
    """Lines of text for `csv.reader`, and how many bytes they took."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.position = 0

    def go_to(self, position: int) -> None:
        self._stream.seek(position)
        self.position = position

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(LINE_BYTES + 1)
        if not line:
            raise StopIteration
        if len(line) > LINE_BYTES:
            raise UnusableInput("line_too_long", f"The line is longer than {LINE_BYTES} bytes.")
        if self.position == 0:
            self.position, line = len(line), line.removeprefix(BYTE_ORDER_MARK)
        else:
            self.position += len(line)
        try:
            return str(line.decode("utf-8"))
        except UnicodeDecodeError:
            raise UnusableInput("invalid_csv", "The line is not UTF-8.") from None


class ParquetRows:
    """Apache Parquet. Positions are rows; groups of rows before one are not read."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def read(self, stream: Any, position: int, number: int) -> Iterator[tuple[int, Line]]:
        """See `Reader`. Raises UnusableInput where pyarrow is not installed, too."""
        try:
            from pyarrow import ArrowException, parquet
        except ModuleNotFoundError:
            raise UnusableInput("parquet_unavailable", NO_PYARROW) from None
        try:
            table = parquet.ParquetFile(stream)
            self._columns.check(table.schema_arrow.names)
            for place, row in self._rows(table, position):
                yield place + 1, self._columns.line(place, row)
        except ArrowException:
            raise UnusableInput("invalid_parquet", "The file is not Parquet, or broken.") from None

    def _rows(self, table: Any, position: int) -> Iterator[tuple[int, dict[str, Any]]]:
        begin = 0
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group).num_rows
            if begin + size > position:
                number = begin
                for batch in table.iter_batches(STRIDE, row_groups=[group]):
                    skipped = max(position - number, 0)
                    for place, row in enumerate(batch.slice(skipped).to_pylist() if skipped < len(batch) else []):
                        yield number + skipped + place, row
                    number += len(batch)
            begin += size
