"""Which columns an input has, from a look at its first file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from entropyguard.core.rows.source import Source

_SAMPLE_ROWS = 1_000
_SAMPLE_LINE_BYTES = 128 << 20


def input_columns(sources: list[Source]) -> dict[str, bool]:
    """Name -> whether it holds text, for the columns in the first 1,000 rows of the first file.

    A column of a JSONL file holds text when it has a string and nothing else but null.
    """
    if sources[0].record_format == "parquet":
        from entropyguard.core.ingest.parquet_rows import is_text, open_input

        with open_input(sources[0]) as file:
            return {field.name: is_text(field.type) for field in file.schema_arrow}
    if sources[0].record_format == "csv":
        from entropyguard.core.ingest.csv_rows import header_of

        return dict.fromkeys(header_of(sources[0], _SAMPLE_LINE_BYTES), True)
    return _json_columns(islice(_lines(sources[0]), _SAMPLE_ROWS))


def appears_as_text(sources: list[Source], column: str) -> bool:
    """Whether any row of JSONL files holds a string under `column`; they are read up to the first that does."""
    from entropyguard.core.rows.json_lines import MalformedLineError, parse_line

    spelled = json.dumps(column)
    for source in sources:
        for line in _lines(source, spelled.encode()):
            if spelled not in line:
                continue
            try:
                row = parse_line(line)
            except MalformedLineError:
                continue
            if isinstance(row, dict) and isinstance(row.get(column), str):
                return True
    return False


def _lines(source: Source, holding: bytes = b"") -> Iterator[str]:
    """The lines that can be read, of blocks of them that hold these bytes."""
    from entropyguard.core.ingest.json_files import read_rows

    for block in read_rows(source, _SAMPLE_LINE_BYTES):
        data = block.records.buffers()[2]
        if data is not None and memoryview(data).tobytes().find(holding) >= 0:
            yield from block.records.to_pylist()


def _json_columns(lines: Iterable[str]) -> dict[str, bool]:
    from entropyguard.core.rows.json_lines import MalformedLineError, parse_line

    texts: dict[str, bool] = {}
    others: set[str] = set()
    for line in lines:
        try:
            row = parse_line(line)
        except MalformedLineError:
            continue
        for name, value in row.items() if isinstance(row, dict) else ():
            texts[name] = texts.get(name, False) or isinstance(value, str)
            if value is not None and not isinstance(value, str):
                others.add(name)
    return {name: is_text and name not in others for name, is_text in texts.items()}
