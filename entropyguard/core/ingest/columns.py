"""Which columns an input has, and which of them hold its texts where nobody said so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from entropyguard.core.rows.arrow_texts import paths_of_fields
from entropyguard.core.rows.json_lines import MalformedLineError, parse_line
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import PART_TEXT, Paths

_LINE_BYTES = 128 << 20
_CHATS = ("messages[].content", "conversations[].value", "messages[].value", "conversations[].content")
_RECORDS = (("instruction", "input", "output"), ("prompt", "completion"))
_OPTIONAL = "input"


def fields_of(sources: Sequence[Source]) -> list[pa.Field]:
    """The columns of files with schemas, all of them together, or with headers, which are all alike."""
    if sources[0].record_format == "parquet":
        from entropyguard.core.ingest.parquet_rows import united_schema

        return list(united_schema(sources))
    from entropyguard.core.ingest.csv_rows import header_of

    return [pa.field(name, pa.large_string()) for name in header_of(sources[0], _LINE_BYTES)]


def first_columns(sources: Sequence[Source]) -> list[str]:
    """The columns of the first rows of JSON lines."""
    from entropyguard.core.ingest.json_files import read_rows

    paths = Paths()
    for block in islice(read_rows(sources[0], _LINE_BYTES), 2):  # the first may hold a byte order mark alone
        _note_lines(paths, block.records)
    return list(paths.columns)


def paths_of_input(sources: Sequence[Source], enough: str) -> Paths:
    """What is in any row of any file of JSON lines, up to the first block with a text under `enough`."""
    from entropyguard.core.ingest.json_files import read_rows

    paths = Paths()
    for source in sources:
        for block in read_rows(source, _LINE_BYTES):
            _note_lines(paths, block.records)
            if paths.has_text(enough):
                return paths
    return paths


def _note_lines(paths: Paths, lines: pa.LargeStringArray) -> None:
    """Note what JSON lines have: by Arrow's reader, or where it will not have them, as they are of unlike types."""
    if not len(lines):
        return
    together = pa.LargeListArray.from_arrays(pa.array([0, len(lines)], pa.int64()), lines)
    data = pc.binary_join(together, pa.scalar("\n", pa.large_string())).buffers()[2]
    try:
        schema = arrow_json.read_json(
            pa.BufferReader(data), arrow_json.ReadOptions(use_threads=False, block_size=data.size + 1)
        ).schema
    except pa.ArrowException:
        for line in lines.to_pylist():
            try:
                row = parse_line(line)
            except MalformedLineError:  # ingest tells of it
                continue
            if isinstance(row, dict):
                paths.note_row(row)
    else:
        paths.merge(paths_of_fields(field.with_type(_as_written(field.type)) for field in schema))


def _as_written(kind: pa.DataType) -> pa.DataType:
    """The type without what Arrow makes of a text: a time, where it is written like one."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_as_written(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_as_written(field.type)) for field in kind])
    return kind


def text_columns(paths: Paths, default: str) -> list[str]:
    """The columns or paths whose texts to compare: `default`, a chat, an instruction's or a prompt's columns.

    Else the only column of text; nothing where there are several or none.
    """
    if paths.has_text(default):
        return [default]
    for chat in _CHATS:
        if paths.has_text(chat) or paths.has_text(f"{chat}[].{PART_TEXT}"):
            return [chat]
    for names in _RECORDS:
        there = [name for name in names if name in paths.columns and not paths.is_empty(name)]
        if all(name in there or name == _OPTIONAL for name in names) and all(map(paths.holds_text, there)):
            return there
    texts = [name for name in paths.columns if paths.holds_text(name)]
    return texts if len(texts) == 1 else []
