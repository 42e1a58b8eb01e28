"""A common schema for rows that came as JSON, for formats that need one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.json_lines import parse_line
from entropyguard.core.rows.source import Place

_INT64, EXACT_IN_FLOAT, _MOST_DIGITS = 2**63, 2**53, 4_000
_PLAIN = {bool: "true or false", int: "whole numbers", float: "numbers", str: "text"}
_ARROW = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.large_string()}


@dataclass
class Shape:
    """What the values in one place of all rows have in common; nothing yet when they were all null."""

    kind: type | None = None
    fields: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    inexact_in_float: int | None = None

    def arrow(self, name: str) -> pa.DataType:
        """The type that holds all these values."""
        if self.kind is None:
            return pa.null()
        if self.kind is list:
            return pa.large_list((self.items or Shape()).arrow(name))
        if self.kind is dict:
            if not self.fields:
                raise DataFormatError(f"Column {name!r} holds only empty objects, which Parquet has not. Write JSONL.")
            return pa.struct([(key, shape.arrow(f"{name}.{key}")) for key, shape in self.fields.items()])
        return _ARROW[self.kind]


class MisfitError(ValueError):
    """A value that fits no type together with those before it; the message names the column."""


def parse_row(line: str) -> dict[str, Any]:
    """A row's values; MisfitError for what a common schema would lose: a key given twice, a number out of range.

    NaN and Infinity, spelled as such, are values that Parquet and CSV hold.
    """
    return dict(parse_line(line, _DECODER))


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        raise MisfitError(f"key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return row


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise MisfitError(f"{digits[:30]} is out of range")
    return value


def _whole(digits: str) -> int:
    if len(digits) >= _MOST_DIGITS:
        raise MisfitError(f"{digits[:30]}… is out of range")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_float, parse_int=_whole)


def common_schema(rows: Iterable[tuple[Place, str]], said: Callable[[Place], str]) -> pa.Schema:
    """The schema that holds every row (its place, its JSON line): keys in the order they first appear.

    A missing key is null. Whole numbers beside numbers with a fraction become float64 where that changes none.
    DataFormatError names column and place of the first value that does not fit; `said` spells a place.
    """
    return schema_of_shapes(common_shapes(rows, said))


def common_shapes(rows: Iterable[tuple[Place, str]], said: Callable[[Place], str]) -> dict[str, Shape]:
    """What the values of each column have in common; DataFormatError as in `common_schema`."""
    columns: dict[str, Shape] = {}
    for place, text in rows:
        try:
            for name, value in parse_row(text).items():
                take(columns.setdefault(name, Shape()), value, name)
                encodable(name, name)
        except MisfitError as error:
            raise DataFormatError(f"{said(place)}: {error}. Write JSONL, which keeps every row as it is.") from error
    return columns


def take(shape: Shape, value: Any, name: str) -> None:
    """Widen the shape so that it holds the value too."""
    if value is None:
        return
    kind = type(value)
    if kind in (int, float):
        kind = _number(shape, value, name)
    if shape.kind not in (None, kind):
        raise MisfitError(f"column {name!r} holds {_said(kind)} here and {_said(shape.kind)} before")
    shape.kind = kind
    if kind is str:
        encodable(value, name)
    elif kind is list:
        shape.items = shape.items or Shape()
        for item in value:
            take(shape.items, item, name)
    elif kind is dict:
        for key, inner in value.items():
            encodable(key, name)
            take(shape.fields.setdefault(key, Shape()), inner, f"{name}.{key}")


def _number(shape: Shape, value: float, name: str) -> type:
    """The kind of number the place holds with this value in it."""
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise MisfitError(f"column {name!r} holds {str(value)[:30]}, which fits no 64-bit whole number")
        if abs(value) > EXACT_IN_FLOAT:
            shape.inexact_in_float = value
    kind = float if isinstance(value, float) or shape.kind is float else int
    if kind is float and shape.inexact_in_float is not None:
        raise MisfitError(f"column {name!r} holds numbers with a fraction beside {shape.inexact_in_float}")
    if kind is float and shape.kind is int:
        shape.kind = float
    return kind


def _said(kind: type | None) -> str:
    return _PLAIN.get(kind, "lists" if kind is list else "objects") if kind else "null"


def encodable(text: str, name: str) -> None:
    """MisfitError for a text that is none to anybody but JSON."""
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MisfitError(f"column {name!r} holds a lone surrogate, which only JSON can spell") from error


def schema_of_shapes(shapes: dict[str, Shape]) -> pa.Schema:
    """The schema of columns whose values have that in common."""
    return pa.schema([(name, shape.arrow(name)) for name, shape in shapes.items()])


def typed_rows(lines: Sequence[str], schema: pa.Schema) -> pa.Table:
    """The rows as a table of the schema that `common_schema` found for them."""
    return pa.Table.from_pylist([parse_row(line) for line in lines], schema=schema)
