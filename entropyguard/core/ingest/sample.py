"""The first rows of an input, for what must be known before a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from entropyguard.core.ingest.json_files import read_rows
from entropyguard.core.rows.json_lines import MalformedLineError, parse_line
from entropyguard.core.rows.source import Place, Source
from entropyguard.core.rows.text_paths import NotTextError, TextPath, text_paths

_ROWS = 1_000
_LINE_BYTES = 128 << 20


def sample_rows(source: Source, text_column: str | Sequence[str]) -> list[tuple[Place, str]]:
    """Place and line of the JSON objects with a text among the first 1,000 rows of a JSONL file, as file 0."""
    paths = text_paths(text_column)
    return [((0, line), text) for line, text in islice(_lines(source), _ROWS) if _has_text(text, paths)]


def _lines(source: Source) -> Iterator[tuple[int, str]]:
    for block in read_rows(source, _LINE_BYTES):
        yield from zip(block.lines.tolist(), block.records.to_pylist(), strict=True)


def _is_taken(row: dict[str, Any], paths: Sequence[TextPath]) -> bool:
    texts = [path.of_row(row) for path in paths]  # all of them: each may prove to be no text
    return any(text is not None for text in texts)


def _has_text(line: str, paths: Sequence[TextPath]) -> bool:
    """Whether ingest would take the row; the others never come to an output."""
    try:
        row = parse_line(line)
        return isinstance(row, dict) and _is_taken(row, paths)
    except (MalformedLineError, NotTextError):
        return False
