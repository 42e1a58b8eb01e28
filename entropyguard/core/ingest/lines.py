"""The lines of a file, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Ints, flagged
from entropyguard.core.encodings import UTF8, as_utf8
from entropyguard.core.errors import InputError
from entropyguard.core.ingest.batches import SHOWN_BYTES, Rejected, as_text, over_long_reason, utf8_reason
from entropyguard.core.rows.source import Place, Source

BLOCK_BYTES = 4 << 20
_BOM = b"\xef\xbb\xbf"
_CODECS = {"gz": "gzip", "zst": "zstd"}
_NEWLINE, _SPACES = 10, np.frombuffer(b" \t\r", dtype=np.uint8)


@dataclass(frozen=True)
class LineBlock:
    """Consecutive lines that are not blank.

    `rows` counts them all; `positions` (from 0), `lines` (from 1 in the file) and `records` (large_string, without
    line ends) are those that are text within the limit; the others are `rejected`.
    """

    rows: int
    positions: Ints
    lines: Ints
    records: pa.LargeStringArray
    rejected: list[Rejected]
    ends: int = 0
    """How many lines of the file these are, blank ones among them."""


def read_pieces(source: Source) -> Iterator[bytes]:
    """A file's text as UTF-8, a few MB at a time, unpacked, without a byte order mark at the start."""
    pieces = _read(source, _open, lambda stream: _stored_pieces(source, stream))
    return pieces if source.encoding == UTF8 else as_utf8(pieces, source.encoding)


def _stored_pieces(source: Source, stream: Any) -> Iterator[bytes]:
    head = _head(stream)
    yield head.removeprefix(_BOM) if source.encoding == UTF8 else head
    while piece := stream.read(BLOCK_BYTES):
        yield piece


def _head(stream: Any) -> bytes:
    head = b""
    while len(head) < len(_BOM) and (more := stream.read(len(_BOM) - len(head))):
        head += more
    return head


def read_range(source: Source, start: int, end: int | None) -> Iterator[bytes]:
    """As `read_pieces`, of the lines of an unpacked file of UTF-8 that begin from byte `start` up to `end`."""
    return _read(source, Source.arrow_file, lambda stream: _lines_within(stream, start, end))


def _lines_within(stream: Any, start: int, end: int | None) -> Iterator[bytes]:
    at = max(start - 1, 0)  # a line begins at `start` where the byte before ends one
    if not start:
        head = _head(stream)
        at = len(head)
        if end is not None and (stop := head.find(b"\n", max(end - 1, 0)) + 1):
            yield head[:stop].removeprefix(_BOM)
            return
        yield head.removeprefix(_BOM)
    stream.seek(at)
    is_within = not start
    while piece := stream.read(BLOCK_BYTES):
        first, at = at, at + len(piece)
        if not is_within:
            skipped = piece.find(b"\n") + 1
            is_within = skipped > 0
            piece, first = piece[skipped:], first + skipped
            if end is not None and (first if is_within else at) >= end:
                return
            if not is_within:
                continue
        if end is not None and at >= end and (stop := piece.find(b"\n", max(end - 1 - first, 0)) + 1):
            yield piece[:stop]
            return
        yield piece


def _read(source: Source, opened: Callable[[Source], Any], pieces: Callable[[Any], Iterator[bytes]]) -> Iterator[bytes]:
    try:
        with opened(source) as stream:
            yield from pieces(stream)
    except OSError as error:
        packed = " as " + _CODECS[source.compression] if source.compression else ""
        raise InputError(
            f"{source} cannot be read{packed} ({error.strerror or error}). Check that the file is whole."
        ) from error


def _open(source: Source) -> Any:
    if source.compression:
        # Arrow's streams go on over members and frames, and notice an end that comes too early.
        return pa.CompressedInputStream(source.arrow_stream(), _CODECS[source.compression])
    return source.stream()


def read_lines(pieces: Iterator[bytes], limit: int, file: int = 0) -> Iterator[LineBlock]:
    """The lines of a file without blank ones; a line of over `limit` bytes is rejected without being held.

    `pieces`: all of its text, or some lines, which are counted from 1; `file`: its ordinal, for the rejected lines.
    """
    line = 1
    for data, cut_bytes in _whole_lines(pieces, limit):
        if cut_bytes:
            yield _over_long((file, line), cut_bytes, data, limit)
            line += 1
        else:
            block, count = _split(data, (file, line), limit)
            line += count
            yield block


def _whole_lines(pieces: Iterator[bytes], limit: int) -> Iterator[tuple[bytes, int]]:
    """Bytes that end with a line, and 0; or the beginning of one over-long line, and the length of all of it."""
    waiting: list[bytes] = []
    held = 0  # bytes of the line that has not ended yet
    for piece in pieces:
        start, end = 0, piece.rfind(b"\n") + 1
        if held + (piece.find(b"\n") if end else len(piece)) > limit + 1:  # one more for a CR
            start = piece.find(b"\n") + 1
            if not end:
                held += len(piece)
                waiting = _ends_of(b"".join([*waiting, piece]))
                continue
            whole = b"".join([*waiting, piece[: start - 1]])
            length = held + start - 1 - whole.endswith(b"\r")
            yield whole[: min(length, SHOWN_BYTES)], length
            waiting, held = [], 0
        if end > start:
            yield b"".join([*waiting, piece[start:end]]), 0
            waiting, held = [], 0
        if end < len(piece):
            waiting.append(piece[end:])
            held += len(piece) - end
    if held > limit:
        yield b"".join(waiting)[: min(held, SHOWN_BYTES)], held
    elif held:
        yield b"".join(waiting), 0


def _ends_of(beginning: bytes) -> list[bytes]:
    """What is held of an over-long line: its first bytes, and its last, which may be a CR."""
    return [beginning] if len(beginning) <= SHOWN_BYTES else [beginning[:SHOWN_BYTES], beginning[-1:]]


def _over_long(place: Place, length: int, beginning: bytes, limit: int) -> LineBlock:
    nothing = np.empty(0, dtype=np.int64)
    rejected = Rejected(0, *place, over_long_reason(length, limit), as_text(beginning))
    return LineBlock(1, nothing, nothing, pa.array([], pa.large_string()), [rejected], ends=1)


def _split(data: bytes, place: Place, limit: int) -> tuple[LineBlock, int]:
    """The block of some whole lines, the first of which stands at `place`, and how many lines there are."""
    file, line = place
    if b"\r" in data:  # a search for two bytes takes twenty times as long as one for one
        data = data.replace(b"\r\n", b"\n")
    ends = flagged(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    text = data.replace(b"\n", b"")
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    filled = ~_blank(text, offsets)
    reasons = _line_reasons(text, offsets, limit, filled)
    good = filled.copy()
    good[list(reasons)] = False
    positions = np.cumsum(filled) - 1
    records = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(text))
    rejected = [
        Rejected(int(positions[at]), file, line + at, reason, as_text(text[offsets[at] : offsets[at + 1]][:shown]))
        for at, (reason, shown) in sorted(reasons.items())
    ]
    kept = records if good.all() else records.filter(pa.array(good))
    block = LineBlock(int(filled.sum()), positions[good], np.flatnonzero(good) + line, kept, rejected, len(ends))
    return block, len(ends)


def _blank(text: bytes, offsets: Ints) -> Bools:
    """Which lines hold nothing but JSON's white space."""
    blank: Bools = offsets[1:] == offsets[:-1]
    if text:
        first = np.frombuffer(text, dtype=np.uint8)[np.minimum(offsets[:-1], len(text) - 1)]
        for at in np.flatnonzero(np.isin(first, _SPACES)):
            blank[at] = not text[offsets[at] : offsets[at + 1]].strip(b" \t\r")
    return blank


def _line_reasons(text: bytes, offsets: Ints, limit: int, filled: Bools) -> dict[int, tuple[str, int | None]]:
    """Line -> why it cannot be taken, and how many of its bytes to show (None: all)."""
    lengths = np.diff(offsets)
    reasons: dict[int, tuple[str, int | None]] = {
        at: (over_long_reason(int(lengths[at]), limit), SHOWN_BYTES)
        for at in np.flatnonzero(filled & (lengths > limit)).tolist()
    }
    if not is_utf8(text, offsets):
        for at in np.flatnonzero(filled & (lengths <= limit)).tolist():
            reason = utf8_reason(text[offsets[at] : offsets[at + 1]])
            if reason:
                reasons[at] = (reason, None)
    return reasons


def is_utf8(text: bytes, offsets: Ints) -> bool:
    """Whether every stretch of `text` between two offsets is UTF-8."""
    array = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
