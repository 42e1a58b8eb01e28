"""The texts at a path in Arrow's arrays, a call for each step and none for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Ints
from entropyguard.core.rows.text_paths import PART_TEXT, Paths, TextPath, spelled

LINE_BREAK = pa.scalar("\n", pa.large_string())


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_parts(kind: pa.DataType) -> bool:
    """Whether it is a list of objects with a text each, as the content of OpenAI's chats."""
    if not _is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    at = kind.value_type.get_field_index(PART_TEXT)
    return at >= 0 and is_text(kind.value_type.field(at).type)


def type_at(record: pa.StructType, path: TextPath) -> pa.DataType | None:
    """What stands at a path of records of this type; None where there is no such path."""
    if record.get_field_index(path.name) >= 0:
        return record.field(path.name).type
    kind: pa.DataType = record
    for at, names in enumerate(path.ways):
        if at and not _is_list(kind):
            return None
        kind = kind.value_type if at else kind
        for name in names:
            if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
                return None
            kind = kind.field(name).type
    return kind


def is_text_at(kind: pa.DataType, path: TextPath) -> bool:
    """Whether texts can be taken from what `type_at` found."""
    return is_text(kind) or (path.is_list and _is_parts(kind))


def paths_of_fields(fields: Iterable[pa.Field]) -> Paths:
    """The columns and paths that records of these fields have."""
    paths = Paths()
    for field in fields:
        paths.columns[field.name] = None
        note_type(paths, field.name, spelled(field.name), field.type)
    return paths


def note_type(paths: Paths, name: str, way: str, kind: pa.DataType, depth: int = 1) -> None:
    """Note a column or path by its type; `way` is the name as those of what is below it begin."""
    paths.note(name, text=is_text(kind), other=not is_text(kind) and not pa.types.is_null(kind))
    if paths.is_full(depth):
        return
    if _is_list(kind):
        note_type(paths, f"{way}[]", f"{way}[]", kind.value_type, depth + 1)
    elif pa.types.is_struct(kind):
        for field in kind:
            below = f"{way}.{spelled(field.name)}"
            note_type(paths, below, below, field.type, depth + 1)


def texts_at(records: pa.StructArray, path: TextPath) -> pa.Array:
    """The texts at a path that `is_text_at` found sound: large_string, or large_list of it where it leads through one.

    Null where a row has none; in a list such a text is "".
    """
    at = records.type.get_field_index(path.name)
    if at >= 0:
        return pc.struct_field(records, [at]).cast(pa.large_string())
    found = _inner(records, path.ways[0])
    if not path.is_list:
        return found.cast(pa.large_string())
    texts, ends = _in_lists(found, path.ways[1:])
    return pa.LargeListArray.from_arrays(pa.array(ends), texts, mask=found.is_null())


def _inner(values: pa.Array, names: Sequence[str]) -> pa.Array:
    for name in names:
        values = pc.struct_field(values, [values.type.get_field_index(name)])
    return values


def _in_lists(lists: pa.Array, ways: Sequence[Sequence[str]]) -> tuple[pa.Array, Ints]:
    """All texts down these ways in the values of lists, and where each list's begin and end among them."""
    counts = pc.if_else(lists.is_null(), 0, pc.list_value_length(lists).cast(pa.int64()))
    ends = np.concatenate([[0], np.cumsum(counts.to_numpy(zero_copy_only=False))]).astype(np.int64)
    found = _inner(pc.list_flatten(lists), ways[0])
    if len(ways) > 1:
        texts, inner_ends = _in_lists(found, ways[1:])
        return texts, inner_ends[ends]
    texts = _joined_parts(found) if _is_parts(found.type) else found.cast(pa.large_string())
    return texts.fill_null(""), ends


def _joined_parts(contents: pa.Array) -> pa.Array:
    texts, ends = _in_lists(contents, [[PART_TEXT]])
    return joined_lists(pa.LargeListArray.from_arrays(pa.array(ends), texts))


def joined_lists(lists: pa.LargeListArray) -> pa.Array:
    """The texts of each list that are not empty, joined by line breaks: large_string, null where the list is."""
    ends = lists.offsets.to_numpy()
    texts = lists.values.fill_null("")
    filled = pc.not_equal(texts, "")
    before = np.concatenate([[0], np.cumsum(filled.to_numpy(zero_copy_only=False))]).astype(np.int64)
    kept = pa.LargeListArray.from_arrays(pa.array(before[ends]), texts.filter(filled), mask=lists.is_null())
    return pc.binary_join(kept, LINE_BREAK)
