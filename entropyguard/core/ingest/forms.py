"""What a file that cannot be read as its ending says looks like, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice

from entropyguard.core.encodings import likely_encoding
from entropyguard.core.errors import InputError
from entropyguard.core.ingest.lines import read_pieces
from entropyguard.core.rows.source import Source

_HEAD_BYTES = 1 << 16
_SHOWN = 40
_PIECES_HELD = 3
_BLANK = b" \t\r\n"
_MAGIC = (
    (b"\x1f\x8b", "packed with gzip", "Give it the ending .jsonl.gz, or unpack it"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "Give it the ending .jsonl.zst, or unpack it"),
    (b"PK\x03\x04", "a zip archive (or a spreadsheet)", "Unpack it, or save the sheet as CSV"),
    (b"BZh", "packed with bzip2", "Unpack it"),
    (b"\xfd7zXZ\x00", "packed with xz", "Unpack it"),
    (b"PAR1", "Parquet", "Give it the ending .parquet"),
    (b"ARROW1", "an Arrow (Feather) file", "Give it the ending .arrow"),
    (b"SQLite format 3", "an SQLite database", "Write its rows as JSONL"),
    (b"%PDF", "a PDF", "Write its text as JSONL"),
)
_READ_AS = "Read it with ingest.encoding {}"


def form_of(source: Source) -> str | None:
    """What the file is, with the cure, as one or two sentences; None where its first line is a JSON object."""
    try:
        head = head_of(source)
    except InputError:  # it does not unpack, which reading it says
        return None
    if head is None:
        return f"{source} holds nothing but blank lines. Name a file that holds rows."
    known = _by_magic(head) or _by_encoding(head) or _by_text(head)
    return None if known is None else f"{source} is {known[0]}. {known[1]}."


def packed_form_of(source: Source) -> str | None:
    """The same by the file's first bytes alone."""
    with source.stream() as file:
        known = _by_magic(file.read(64))
    return None if known is None else f"{source} is {known[0]}. {known[1]}."


def head_of(source: Source) -> bytes | None:
    """The file's beginning, of what is not blank; None when there is no such."""
    held = b""
    for piece in read_pieces(source):
        held = (held + piece).lstrip(_BLANK)
        if len(held) >= _HEAD_BYTES:
            break
    return held[:_HEAD_BYTES] or None


def with_head(source: Source) -> tuple[bytes, Iterator[bytes]]:
    """The same, empty where there is none, with the file's text from its first byte on; read once, as a rule."""
    pieces = read_pieces(source)
    first: list[bytes] = []
    for piece in pieces:
        first.append(piece)
        head = b"".join(first).lstrip(_BLANK)
        if len(head) >= _HEAD_BYTES or len(first) == _PIECES_HELD:
            break
    else:
        return b"".join(first).lstrip(_BLANK)[:_HEAD_BYTES], iter(first)
    # Many MB of blanks may come first, which nobody should hold.
    return head[:_HEAD_BYTES] if len(head) >= _HEAD_BYTES else head_of(source) or b"", chain(first, pieces)


def _by_magic(head: bytes) -> tuple[str, str] | None:
    return next(((what, cure) for magic, what, cure in _MAGIC if head.startswith(magic)), None)


def _by_encoding(head: bytes) -> tuple[str, str] | None:
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32 text", _READ_AS.format("utf-32")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16 text (as PowerShell's `>` writes it)", _READ_AS.format("utf-16")
    if b"\x00" in head:
        zeros = [head[at::2].count(0) * 4 > len(head) for at in (0, 1)]
        if zeros == [False, True]:
            return "UTF-16 text", _READ_AS.format("utf-16-le")
        if zeros == [True, False]:
            return "UTF-16 text", _READ_AS.format("utf-16-be")
        return "binary data, not text", "Write its rows as JSONL"
    return None


def _by_text(head: bytes) -> tuple[str, str] | None:
    if head[:64].lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page", "Was it meant to be downloaded? Fetch the data itself"
    if head.startswith(b"<"):
        return "XML or HTML", "Write its rows as JSONL"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the data", "Run `git lfs pull`"
    if b"\r" in head and b"\n" not in head:
        return "text whose lines end with a lone CR", "End them with LF: `tr '\\r' '\\n' < FILE > data.jsonl`"
    lines = head.splitlines()
    first = _utf8(lines[0])
    if first is None:
        return "not UTF-8 text (by its first line)", f"It looks like {likely_encoding(lines[0])}: " + _READ_AS.format(
            "NAME"
        )
    return _by_line(first, [line for line in islice(lines, 1, 3) if line.strip()])


def _utf8(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _by_line(first: str, more: list[bytes]) -> tuple[str, str] | None:
    try:
        row, end = json.JSONDecoder().raw_decode(first)
    except ValueError:
        return _no_json(first)
    except RecursionError:
        return None
    rest = first[end:].strip()
    if isinstance(row, list):
        return _ARRAY if row and isinstance(row[0], dict) else _ARRAYS
    if not isinstance(row, dict) or rest:
        return _SEVERAL if isinstance(row, dict) else _no_json(first)
    return ("JSON lines of objects without columns", "Name a file with rows") if not row and not more else None


_ARRAYS = "JSON arrays of something else than objects", 'Write an object a line, with names: `{"text": …}`'
_SEVERAL = "JSON with several objects on a line", "Write one a line: `jq -c . FILE > data.jsonl`"
_ARRAY = "several JSON arrays, a line each", "Write their rows a line each: `jq -c '.[]' FILE > data.jsonl`"


def _no_json(first: str) -> tuple[str, str]:
    if first.startswith("["):
        return _ARRAYS
    if first.startswith(("{'", "{u'")):
        return "of Python's own spelling, not JSON", "Write rows with `json.dumps(row)`, not `str(row)`"
    if first.strip() == "{" or (first.startswith("{") and not first.rstrip().endswith("}")):
        return "indented JSON, an object over several lines", "Write one a line: `jq -c . FILE > data.jsonl`"
    return f"no JSON lines (it begins with {first[:_SHOWN]!r})", 'Write a JSON object a line: `{"text": …}`'
