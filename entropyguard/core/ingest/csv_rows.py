"""CSV and TSV: where each row begins and ends is found in `csv_blocks`, its values by Arrow.

An empty field is null, a quoted empty one is the empty string.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from entropyguard.core.errors import DataFormatError, InputError, InternalError
from entropyguard.core.ingest.batches import (
    Batch,
    Rejected,
    as_places,
    as_text,
    check_columns,
    null_reasons,
    utf8_reason,
)
from entropyguard.core.ingest.csv_blocks import RowBlock, read_rows
from entropyguard.core.ingest.forms import form_of
from entropyguard.core.ingest.lines import is_utf8
from entropyguard.core.ingest.pieces import Piece
from entropyguard.core.ingest.separators import SEPARATORS, check_separator
from entropyguard.core.params import IngestParams
from entropyguard.core.rows.arrow_texts import texts_at
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import text_paths


def header_of(source: Source, limit: int) -> list[str]:
    """The column names in the first row of a CSV or TSV file, "" for a column without one."""
    rows = list(islice((row for block in read_rows(source, limit) for row in block.rows), 2))
    if not rows:
        raise InputError(f"{source} holds no rows, not even a header.")
    reason = utf8_reason(rows[0])
    if reason or b"\0" in rows[0]:
        cure = form_of(source) or "Save the file as UTF-8."
        raise DataFormatError(f"{source}: the header cannot be read: {reason or 'it holds zero bytes'}. {cure}")
    header = rows[0].decode()
    check_separator(source, header, rows[1].decode("utf-8", "replace") if len(rows) > 1 else None)
    try:
        return next(csv.reader(io.StringIO(header, newline=""), delimiter=SEPARATORS[source.kind]))
    except csv.Error as error:
        raise DataFormatError(
            f"{source}: the header cannot be read: {error}. Is this {source.kind.upper()}?"
        ) from error


class CsvRows:
    """Reads CSV and TSV files (a RowReader): a record is a struct of strings."""

    def __init__(self, sources: Sequence[Source], params: IngestParams) -> None:
        self._params = params
        self._names = header_of(sources[0], params.max_line_bytes)
        self._paths = text_paths(params.text_column)
        fields = [pa.field(name, pa.large_string()) for name in self._names]
        check_columns(sources[0], fields, self._paths, params.required_columns)
        self.record_type = pa.struct(fields)
        self.metadata: dict[str, Any] = {}

    def batches(self, pieces: Sequence[Piece]) -> Iterator[Batch]:
        """The rows of these files, without their headers."""
        for piece in pieces:
            yield from self._rows_of(piece.file, piece.source)

    def _rows_of(self, file: int, source: Source) -> Iterator[Batch]:
        names = header_of(source, self._params.max_line_bytes)
        if names != self._names:
            odd = next((name for name in names + self._names if (name in names) != (name in self._names)), names[0])
            raise DataFormatError(f"{source} has other columns than the first file (see {odd!r}). Make them the same.")
        in_header = True
        for block in read_rows(source, self._params.max_line_bytes):
            rows = RowBlock(block.rows[1:], block.lines[1:]) if in_header else block
            in_header = in_header and not block.rows
            if rows.rows:
                yield self._parsed(rows, file, SEPARATORS[source.kind])

    def _parsed(self, block: RowBlock, file: int, separator: str) -> Batch:
        reasons = _encoding_reasons(block.rows)
        readable = [at for at in range(len(block.rows)) if at not in reasons]
        columns, wrong = _parse(b"".join(block.rows[at] for at in readable), self._names, separator)
        for number, reason in wrong.items():
            reasons[readable[number - 1]] = reason
        good = np.array([at for at in readable if at not in reasons], dtype=np.int64)
        if len(columns[0]) != len(good):
            raise InternalError(f"CSV rows near line {block.lines[0]} do not add up. Please report this file.")
        records = pa.StructArray.from_arrays(columns, fields=list(self.record_type))
        texts = [texts_at(records, path) for path in self._paths]
        nulls = null_reasons(records, texts, self._paths, self._params.required_columns)
        reasons.update({int(good[at]): reason for at, reason in nulls.items()})
        sound = np.array([at not in nulls for at in range(len(good))], dtype=bool)
        if nulls:
            records, texts = records.filter(pa.array(sound)), [array.filter(pa.array(sound)) for array in texts]
        rejected = [
            Rejected(at, file, int(block.lines[at]), reason, as_text(block.rows[at].rstrip(b"\r\n")))
            for at, reason in sorted(reasons.items())
        ]
        kept = good[sound]
        files, lines = np.full(len(kept), file), block.lines[kept]
        return Batch(len(block.rows), kept, files, lines, records, rejected, as_places(texts))

    def noted(self) -> dict[str, Any]:
        """Nothing: each row is judged by itself, and the columns are known beforehand."""
        return {}

    def take_over(self, noted: dict[str, Any]) -> None:
        """There is nothing to know."""

    def finish(self) -> None:
        """There is nothing left to refuse."""

    def nothing_read(self, rows: int, first: str, advice: str) -> DataFormatError:
        """Why none of the rows could be read."""
        return DataFormatError(f"Each of the {rows} rows was rejected. First: {first}. {advice}.")


def _encoding_reasons(rows: list[bytes]) -> dict[int, str]:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    if is_utf8(b"".join(rows), offsets):
        return {}
    return {at: reason for at, row in enumerate(rows) if (reason := utf8_reason(row))}


def _parse(data: bytes, names: list[str], separator: str) -> tuple[list[pa.Array], dict[int, str]]:
    """The columns of the rows with the right number of fields; number (from 1) -> reason for the others."""
    wrong: dict[int, str] = {}

    def note(row: arrow_csv.InvalidRow) -> str:
        wrong[row.number] = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        return "skip"

    numbers = [str(at) for at in range(len(names))]
    if not data:
        return [pa.array([], pa.large_string()) for _ in numbers], wrong
    table = arrow_csv.read_csv(
        io.BytesIO(data),
        arrow_csv.ReadOptions(column_names=numbers, use_threads=False, block_size=len(data) + 1),
        arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(numbers, pa.large_string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            check_utf8=False,
        ),
    )
    return [column.combine_chunks() for column in table.columns], wrong
