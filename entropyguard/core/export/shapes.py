"""Shapes of many rows at once: as `json_schema` finds them row by row, but that they do not tell which row misfits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from entropyguard.core.export.json_schema import EXACT_IN_FLOAT, MisfitError, Shape, encodable, take

Shapes = dict[str, Shape]
"""What the values of each column have in common, the columns in the order in which they first appear."""

_FLAT = (bool, int, float, str)


def shapes_of(rows: Sequence[dict[str, Any]]) -> tuple[Shapes, dict[str, list[Any]]]:
    """The shapes of parsed rows, and the values of each column, None for a key that is missing.

    MisfitError where a value fits no type together with the others.
    """
    names: dict[str, None] = {}
    for row in rows:
        if not row.keys() <= names.keys():
            names.update(dict.fromkeys(row))
    encodable("".join(names), "")
    columns = {name: [row.get(name) for row in rows] for name in names}
    return {name: _shape_of(values, name) for name, values in columns.items()}, columns


def _shape_of(values: list[Any], name: str) -> Shape:
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) > 1 or not kinds <= set(_FLAT):
        shape = Shape()
        for value in values:
            take(shape, value, name)
        return shape
    kind = next(iter(kinds), None)
    if kind is str:
        encodable("".join(filter(None, values)), name)
    if kind is int and any(abs(value) > EXACT_IN_FLOAT for value in values if value):
        shape = Shape()
        for value in values:
            take(shape, value, name)
        return shape
    return Shape(kind)


def joined(shapes: Shapes, later: Shapes) -> Shapes:
    """The shapes of rows and of those that follow them; MisfitError where these do not fit together."""
    known = {name: _joined(shape, later[name]) if name in later else shape for name, shape in shapes.items()}
    return known | {name: shape for name, shape in later.items() if name not in shapes}


def _joined(shape: Shape, later: Shape) -> Shape:
    kinds = {shape.kind, later.kind} - {None}
    if len(kinds) > 1 and kinds != {int, float}:
        raise MisfitError("values of unlike types")
    kind = float if float in kinds else next(iter(kinds), None)
    inexact = later.inexact_in_float if shape.inexact_in_float is None else shape.inexact_in_float
    if kind is float and inexact is not None:
        raise MisfitError("a number that no float holds")
    items = _joined(shape.items, later.items) if shape.items and later.items else shape.items or later.items
    return Shape(kind, joined(shape.fields, later.fields), items, inexact)


def is_complete(shape: Shape) -> bool:
    """Whether there is a type for the shape: not for objects that are all empty, which later rows may fill."""
    if shape.kind is list:
        return shape.items is None or is_complete(shape.items)
    return shape.kind is not dict or (bool(shape.fields) and all(map(is_complete, shape.fields.values())))


def as_json(shapes: Shapes) -> list[Any]:
    """The shapes as JSON has them."""
    return [[name, *_as_json(shape)] for name, shape in shapes.items()]


def _as_json(shape: Shape) -> list[Any]:
    kind = shape.kind and shape.kind.__name__
    return [kind, as_json(shape.fields), shape.items and _as_json(shape.items), shape.inexact_in_float]


def from_json(told: list[Any]) -> Shapes:
    """The other way round."""
    return {name: _from_json(shape) for name, *shape in told}


_KINDS: dict[str, type] = {kind.__name__: kind for kind in (*_FLAT, list, dict)}


def _from_json(told: list[Any]) -> Shape:
    kind, fields, items, inexact = told
    return Shape(kind and _KINDS[kind], from_json(fields), items and _from_json(items), inexact)


def widened(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values as a wider type has them, with the very bytes that it has where they are made with it at once."""
    return array if array.type == kind else pa.array(array.to_pylist(), kind)
