"""A JSON array as rows: its elements, one after the other, without holding more of it than one element.

Where an element ends is found from its bytes alone: strings, escapes and brackets. What is in it is judged as a line of
JSON lines is. An element over several lines is folded into one: only white space between its tokens changes, values
stay as they are spelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Bytes, Ints, flagged
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.batches import SHOWN_BYTES, Rejected, as_text, over_long_reason, utf8_reason
from entropyguard.core.ingest.lines import LineBlock, is_utf8
from entropyguard.core.rows.source import Source

_SPACE = b" \t\r\n"
_LF, _CR, _QUOTE, _SLASH, _COMMA, _OPEN, _CLOSE = range(1, 8)
_CLASSES = np.zeros(256, dtype=np.uint8)
for _kind, _signs in enumerate((b"\n", b"\r", b'"', b"\\", b",", b"[{", b"]}"), start=1):
    _CLASSES[list(_signs)] = _kind
_BREAK = re.compile(rb"[\r\n][ \t\r\n]*")
_AT_BREAK = ((b"{\n", b"{"), (b"[\n", b"["), (b"\n}", b"}"), (b"\n]", b"]"), (b"\n", b" "))


@dataclass(frozen=True)
class _Marks:
    """Where in a piece what stands that tells elements apart: positions, ascending.

    `lines`: line breaks; `broken`: those of them within strings, where JSON has none; `ends`: the commas and the
    bracket that end an element; `closed`: where the array ends, None when it goes on.
    """

    lines: Ints
    broken: Ints
    ends: Ints
    closed: int | None


@dataclass
class _Element:
    """What there is so far of an element: its bytes, of an over-long one only the first, and how many they are."""

    parts: list[bytes] = field(default_factory=list)
    length: int = 0
    line: int = 0
    is_broken: bool = False

    def add(self, part: bytes, limit: int) -> None:
        self.length += len(part)
        self.parts.append(part)
        if self.length > limit:
            self.parts = [b"".join(self.parts)[:SHOWN_BYTES]]


def read_elements(source: Source, pieces: Iterator[bytes], limit: int, file: int = 0) -> Iterator[LineBlock]:
    """The elements of the array that a file holds, each as a line; one of over `limit` bytes is rejected.

    `pieces`: all of its text.

    DataFormatError where the array is not closed or something follows it. `file`: its ordinal, for rejected rows.
    """
    array = _Array(source, limit)
    for piece in _cut(pieces):
        elements = array.elements(piece)
        if elements:
            yield _block(elements, file, limit)
    array.check_end()


def _block(elements: list[_Element], file: int, limit: int) -> LineBlock:
    rows = [_folded(one) for one in elements]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    text = b"".join(rows)
    lines = np.array([one.line for one in elements], dtype=np.int64)
    reasons = {at: over_long_reason(one.length, limit) for at, one in enumerate(elements) if one.length > limit}
    if not is_utf8(text, offsets):
        for at, row in enumerate(rows):
            if at not in reasons and (reason := utf8_reason(row)):
                reasons[at] = reason
    good = np.ones(len(rows), dtype=np.bool_)
    good[list(reasons)] = False
    records = pa.LargeStringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(text))
    rejected = [Rejected(at, file, int(lines[at]), reason, as_text(rows[at])) for at, reason in sorted(reasons.items())]
    kept = records if good.all() else records.filter(pa.array(good))
    return LineBlock(len(rows), np.flatnonzero(good), lines[good], kept, rejected)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, cut where neither a run of backslashes nor one of white space is cut in two."""
    held = b""
    for piece in pieces:
        data = held + piece
        whole = data.rstrip(_SPACE + b"\\")
        held = data[len(whole) :]
        if whole:
            yield whole
    if held:
        yield held


def _folded(element: _Element) -> bytes:
    """The element's bytes in one line; a string with a line break in it, which is no JSON, is left as it is."""
    data = b"".join(element.parts).strip(_SPACE)
    if element.is_broken or (b"\n" not in data and b"\r" not in data):
        return data
    data = _BREAK.sub(b"\n", data)
    for found, put in _AT_BREAK:
        data = data.replace(found, put)
    return data


class _Array:
    """Takes the pieces of a file in order, and gives the elements that end in each."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source, self._limit = source, limit
        self._line, self._depth, self._in_string = 1, 0, False
        self._element = _Element()
        self._is_open = self._is_closed = False
        self._any = False

    def elements(self, piece: bytes) -> list[_Element]:
        """The elements that end in this piece."""
        buffer = np.frombuffer(piece, dtype=np.uint8)
        if self._is_closed:
            lines = flagged(buffer == ord("\n"))
            self._check_rest(piece, 0, lines)
            self._line += len(lines)
            return []
        marks = self._marks(buffer)
        start, found = 0, []
        if not self._is_open:
            start = piece.find(b"[") + 1
            self._is_open = start > 0
        for end in marks.ends.tolist():
            self._take(piece, start, end, marks)
            if end != marks.closed or self._any or self._element.length:  # `[]` has no element at all
                found.append(self._element)
                self._any = True
            self._element = _Element()
            start = end + 1
        if marks.closed is None:
            self._take(piece, start, len(piece), marks)
        else:
            self._is_closed = True
            is_array = piece[marks.closed : start] == b"]"
            self._check_rest(piece, start if is_array else marks.closed, marks.lines)
        self._line += len(marks.lines)
        return found

    def _take(self, piece: bytes, start: int, end: int, marks: _Marks) -> None:
        """Add what stands between two positions to the element."""
        element, part = self._element, piece[start:end]
        if not element.length:
            part = part.lstrip(_SPACE)
            if not part:
                element.line = self._line + int(np.searchsorted(marks.lines, end))
                return
            element.line = self._line + int(np.searchsorted(marks.lines, end - len(part)))
        element.add(part, self._limit)
        if len(marks.broken):
            element.is_broken |= bool(np.searchsorted(marks.broken, start) < np.searchsorted(marks.broken, end))

    def _check_rest(self, piece: bytes, start: int, lines: Ints) -> None:
        """DataFormatError when anything but white space stands from `start` on, behind the array's end."""
        rest = piece[start:].lstrip(_SPACE)
        if rest:
            line = self._line + int(np.searchsorted(lines, len(piece) - len(rest)))
            raise DataFormatError(
                f"{self._source}, line {line}: the JSON array has ended, and {as_text(rest[:1])!r} follows. "
                "Several arrays, or objects: `jq -c '.[]' FILE > data.jsonl` writes their rows a line each."
            )

    def _marks(self, buffer: Bytes) -> _Marks:
        classes = _CLASSES[buffer]
        at = flagged(classes != 0)
        kinds = classes[at]
        toggles = _unescaped(at, kinds)
        outside = (np.cumsum(toggles) + self._in_string) % 2 == 0
        signs, kinds_outside = (values[outside & (kinds >= _COMMA)] for values in (at, kinds))
        depth = self._depth + np.cumsum((kinds_outside == _OPEN).astype(np.int64) - (kinds_outside == _CLOSE))
        ends = signs[(depth == 1) & (kinds_outside == _COMMA)]
        closing = signs[(depth == 0) & (kinds_outside == _CLOSE)]
        closed = int(closing[0]) if len(closing) else None
        if closed is not None:
            ends = np.append(ends[ends < closed], closed)
        marks = _Marks(at[kinds == _LF], at[~outside & (kinds <= _CR)], ends, closed)
        self._in_string ^= bool(toggles.sum() % 2)
        self._depth = int(depth[-1]) if len(depth) else self._depth
        return marks

    def check_end(self) -> None:
        """DataFormatError unless the array was closed."""
        if self._is_closed:
            return
        within = f", within the element that begins in line {self._element.line}" if self._element.length else ""
        raise DataFormatError(
            f"{self._source}: the JSON array is not closed: the file ends in line {self._line}{within}. "
            "Check that the file is whole, and that every quote and bracket is closed."
        )


def _unescaped(at: Ints, kinds: Bytes) -> Bools:
    """Which of the marks are quotes that no backslash escapes: behind a run of an odd number of them one is."""
    quotes: Bools = kinds == _QUOTE
    slashes = at[kinds == _SLASH]
    if len(slashes):
        last = flagged(np.append(np.diff(slashes) != 1, True))
        lengths = np.diff(np.append(-1, last))
        escaped = slashes[last][lengths % 2 == 1] + 1
        found = np.minimum(np.searchsorted(at, escaped), len(at) - 1)
        quotes[found[at[found] == escaped]] = False
    return quotes
