"""The footer of a Parquet file made of row groups that were compressed apart from each other.

A footer is a struct in Thrift's compact encoding (Apache Thrift, thrift-compact-protocol.md; its fields are in
apache/parquet-format, parquet.thrift). Each row group comes from a file of its own or from another checkpoint, whose
footer says where its pages are; put behind other groups, these offsets move. Nothing else has to be known of a footer,
so all else is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from mmap import mmap
from typing import NamedTuple

MAGIC = b"PAR1"
_TAIL = 4 + len(MAGIC)  # a footer is followed by its length and the magic bytes

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
# Numbers of fields: of the file, of a row group, of its column chunks, and of what is said of these.
_ROWS, _GROUPS = 3, 4
_CHUNKS, _GROUP_BYTES, _GROUP_OFFSET, _GROUP_STORED_BYTES, _ORDINAL = 1, 2, 5, 6, 7
_CHUNK_OFFSET, _CHUNK_METADATA, _INDEX_OFFSETS = 2, 3, (4, 6)
_CHUNK_BYTES, _CHUNK_STORED_BYTES, _PAGE_OFFSETS = 6, 7, (9, 10, 11, 14)

_Change = Callable[[bytes], bytes]


class RowGroup(NamedTuple):
    """A row group: its pages, where they stand in the file they come from, and what its footer says of it."""

    pages: Sequence[bytes]
    offset: int
    entry: bytes


def footer_of(file: bytes | mmap) -> bytes:
    """The footer of a Parquet file, or of enough of its end."""
    end = len(file) - _TAIL
    return file[end - int.from_bytes(file[end : end + 4], "little") : end]


def entries_of(footer: bytes) -> list[bytes]:
    """What a footer says of each row group."""
    return _elements(_value(footer, _GROUPS))


def first_chunks(entry: bytes, count: int) -> bytes:
    """What is to be said of a row group of which only so many column chunks are there."""
    chunks = _elements(_value(entry, _CHUNKS))[:count]
    metadatas = [_value(chunk, _CHUNK_METADATA) for chunk in chunks]
    changes: dict[int, _Change] = {
        _CHUNKS: lambda _: _list(chunks),
        _GROUP_BYTES: lambda _: _zigzag(sum(_number(_value(metadata, _CHUNK_BYTES)) for metadata in metadatas)),
        _GROUP_STORED_BYTES: lambda _: _zigzag(
            sum(_number(_value(metadata, _CHUNK_STORED_BYTES)) for metadata in metadatas)
        ),
    }
    return _changed(entry, changes)


def moved_to(group: RowGroup, offset: int, ordinal: int) -> bytes:
    """What the footer says of a row group when its pages stand at `offset` and it is number `ordinal`."""

    def move(value: bytes) -> bytes:
        before = _number(value)
        return _zigzag(before + offset - group.offset) if before else value  # 0: there is none

    def move_chunk(chunk: bytes) -> bytes:
        metadata = dict.fromkeys(_PAGE_OFFSETS, move)
        changes = {_CHUNK_OFFSET: move, _CHUNK_METADATA: lambda value: _changed(value, metadata)}
        return _changed(chunk, changes | dict.fromkeys(_INDEX_OFFSETS, move))

    changes: dict[int, _Change] = {
        _CHUNKS: lambda chunks: _list([move_chunk(chunk) for chunk in _elements(chunks)]),
        _GROUP_OFFSET: move,
        _ORDINAL: lambda _: _zigzag(ordinal),
    }
    return _changed(group.entry, changes)


def whole_footer(footer: bytes, entries: Sequence[bytes], rows: int) -> bytes:
    """The end of a file: `footer`, that of a file without rows, with these row groups."""
    whole = _changed(footer, {_ROWS: lambda _: _zigzag(rows), _GROUPS: lambda _: _list(entries)})
    return whole + len(whole).to_bytes(4, "little") + MAGIC


class _Field(NamedTuple):
    number: int
    head: int
    start: int
    stop: int


def _fields(data: bytes, at: int = 0) -> list[_Field]:
    """The fields of the struct that begins at `at`: where each one's head is, and its value."""
    fields, number = [], 0
    while data[at]:
        head, kind = at, data[at] & 15
        if data[at] >> 4:
            number, at = number + (data[at] >> 4), at + 1
        else:
            zigzag, at = _varint(data, at + 1)
            number = _signed(zigzag)
        stop = at if kind in (_TRUE, _FALSE) else _end(data, at, kind)
        fields.append(_Field(number, head, at, stop))
        at = stop
    return fields


def _changed(struct: bytes, changes: Mapping[int, _Change]) -> bytes:
    """The struct with the values of some fields changed."""
    parts = []
    for field in _fields(struct):
        value = struct[field.start : field.stop]
        parts += [struct[field.head : field.start], changes.get(field.number, bytes)(value)]
    return b"".join([*parts, b"\0"])


def _value(struct: bytes, number: int) -> bytes:
    """The value of a field that is there."""
    return next(struct[field.start : field.stop] for field in _fields(struct) if field.number == number)


def _elements(data: bytes) -> list[bytes]:
    """The structs of a list."""
    count, at = (data[0] >> 4, 1) if data[0] >> 4 < 15 else _varint(data, 1)
    elements = []
    for _ in range(count):
        start, at = at, _end(data, at, _STRUCT)
        elements.append(data[start:at])
    return elements


def _list(structs: Sequence[bytes]) -> bytes:
    count = len(structs)
    head = bytes([count << 4 | _STRUCT]) if count < 15 else bytes([15 << 4 | _STRUCT]) + _unsigned(count)
    return b"".join([head, *structs])


def _end(data: bytes, at: int, kind: int) -> int:
    """Where the value of this kind that begins at `at` ends."""
    if kind == _STRUCT:
        fields = _fields(data, at)
        return (fields[-1].stop if fields else at) + 1
    if kind in (_LIST, _SET):
        inner = data[at] & 15
        count, at = (data[at] >> 4, at + 1) if data[at] >> 4 < 15 else _varint(data, at + 1)
        for _ in range(count):
            at = at + 1 if inner in (_TRUE, _FALSE) else _end(data, at, inner)
        return at
    if kind == _BINARY:
        length, at = _varint(data, at)
        return at + length
    if kind == _MAP:
        raise ValueError("a Parquet footer holds no maps")
    return at + {_BYTE: 1, _DOUBLE: 8}[kind] if kind in (_BYTE, _DOUBLE) else _varint(data, at)[1]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of seven bits a byte, low ones first, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(value: bytes) -> int:
    return _signed(_varint(value, 0)[0])


def _signed(zigzag: int) -> int:
    return zigzag >> 1 ^ -(zigzag & 1)


def _zigzag(value: int) -> bytes:
    return _unsigned(value << 1 ^ value >> 63)
