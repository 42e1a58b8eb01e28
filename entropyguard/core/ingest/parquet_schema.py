"""Parquet files of one input that differ in how they were written only, and are read with one schema.

What a writer chooses: 32-bit or 64-bit offsets, views, dictionaries, the order of columns, whether null is allowed,
the null type for a column that holds nothing else, and to leave such a column out.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from entropyguard.core.casts import cast_column
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.partition_columns import check_partition, partition_column
from entropyguard.core.rows.column_types import stored_type, value_type
from entropyguard.core.rows.source import Source


def common_schema(files: Iterable[tuple[Source, pa.Schema]]) -> pa.Schema:
    """The schema that holds every file: the first one's, then the columns that only later ones have.

    A column may be null where it may be in any file, or is missing in one. Of a column that one file has with the null
    type it is another's. DataFormatError names the file whose column is of really another type, or there twice.
    """
    columns: dict[str, tuple[pa.Field, Source]] = {}
    first: Source | None = None
    metadata = None
    for source, schema in files:
        for field in schema:
            if schema.names.count(field.name) > 1 and first is not None:
                raise DataFormatError(f"{source} has two columns called {field.name!r}. Rename one of them.")
            known, origin = columns.get(field.name, (None, source))
            if known is None:
                known = field if first is None else field.with_nullable(nullable=True)
            elif pa.types.is_null(known.type):
                known, origin = field.with_nullable(nullable=True), source
            elif not pa.types.is_null(field.type) and value_type(field.type) != value_type(known.type):
                where = "the first file" if origin == first else str(origin)
                raise DataFormatError(
                    f"{source}: column {field.name!r} holds {field.type}, in {where} {known.type}. "
                    "Make their columns the same."
                )
            columns[field.name] = known.with_nullable(known.nullable or field.nullable), origin
        for name in columns.keys() - set(schema.names):
            field, origin = columns[name]
            columns[name] = field.with_nullable(nullable=True), origin
        if first is None:
            if len(columns) < len(schema):
                return schema  # a column twice, which is refused with the others' names
            first, metadata = source, schema.metadata
    return pa.schema([field for field, _ in columns.values()], metadata=metadata)


def conformed(source: Source, batch: pa.RecordBatch, before: int, wanted: pa.Schema) -> list[pa.Array]:
    """The columns of a batch, whose first row is number `before`, in the order and of the types of a schema.

    A column that the file does not have is null, or what its folders say.
    """
    columns = []
    for field in wanted:
        if field.name not in batch.schema.names:
            columns.append(partition_column(source, field, batch.num_rows))
            continue
        column = batch.column(field.name)
        if not field.nullable and column.null_count:
            row = before + 1 + column.is_null().to_pylist().index(True)
            raise DataFormatError(
                f"{source}, row {row}: column {field.name!r} is null, which the file's schema rules out. "
                "Allow null there, or fill the column."
            )
        check_partition(source, field, column, before)
        kind = stored_type(field.type)
        columns.append(cast_column(column, kind))
    return columns
