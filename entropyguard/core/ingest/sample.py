"""The first rows of an input, for what must be known before a run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from entropyguard.core.ingest.json_files import read_rows
from entropyguard.core.rows.json_lines import MalformedLineError, parse_line
from entropyguard.core.rows.source import Place, Source

_ROWS = 1_000
_LINE_BYTES = 128 << 20


def sample_rows(source: Source, text_column: str) -> list[tuple[Place, str]]:
    """Place and line of the JSON objects with a text among the first 1,000 rows of a JSONL file, as file 0."""
    return [((0, line), text) for line, text in islice(_lines(source), _ROWS) if _has_text(text, text_column)]


def _lines(source: Source) -> Iterator[tuple[int, str]]:
    for block in read_rows(source, _LINE_BYTES):
        yield from zip(block.lines.tolist(), block.records.to_pylist(), strict=True)


def _has_text(line: str, text_column: str) -> bool:
    """Whether ingest would take the row; the others never come to an output."""
    try:
        row = parse_line(line)
    except MalformedLineError:
        return False
    return isinstance(row, dict) and isinstance(row.get(text_column), str)
