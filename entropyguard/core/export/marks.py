"""`--mark`: every row is written, with what became of it beside what the user gave.

In JSON lines one more key at the end of the line's own bytes, in CSV and Parquet a column for each fact, flat because
that is what filters and groups by name in pandas, polars and datasets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Doubles, Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.json_rows import Said
from entropyguard.core.rows.json_lines import parse_line
from entropyguard.core.rows.source import Place

MARK = "entropyguard"
NO_KEEPER = -1
FACTS = pa.schema(
    [
        pa.field("row_id", pa.int64()),
        pa.field("keep", pa.bool_()),
        pa.field("stage", pa.string()),
        pa.field("keeper_row_id", pa.int64()),
        pa.field("similarity", pa.float64()),
        pa.field("cluster", pa.int64()),
    ]
)
"""What is said of a row. stage: the one that dropped it. keeper_row_id: the row it was dropped for, which a later stage
may have dropped in turn. similarity: of the two. cluster: the row that stands for it in the output, or its own id."""

COLUMNS = tuple(f"{MARK}_{name}" for name in FACTS.names)

_MAY_NAME = rf"{MARK}|\\u00[67]"  # or spelled with escapes
_LINE_END = r"([ \t\r\n]*\}[ \t\r\n]*)\z"


@dataclass(frozen=True)
class Marks:
    """What became of the rows, by row id: arrays of shape (highest row id + 1,), 25 bytes a row together.

    stage: 0 for rows that stay, else 1 + the position in `stages`. keeper: NO_KEEPER where there is none. similarity:
    NaN where there is none.
    """

    stages: Sequence[str]
    stage: npt.NDArray[np.int8]
    keeper: Ints
    similarity: Doubles
    cluster: Ints

    def facts(self, row_ids: Ints) -> pa.Table:
        """FACTS of these rows."""
        stage, keeper, similarity = (array[row_ids] for array in (self.stage, self.keeper, self.similarity))
        columns = [
            pa.array(row_ids),
            pa.array(stage == 0),
            pa.array([None, *self.stages], pa.string()).take(pa.array(stage)),
            pa.array(keeper, mask=keeper == NO_KEEPER),
            pa.array(similarity, mask=np.isnan(similarity)),
            pa.array(self.cluster[row_ids]),
        ]
        return pa.Table.from_arrays(columns, schema=FACTS)

    def beside(self, rows: pa.Table, row_ids: Ints) -> pa.Table:
        """The rows with a column for each fact."""
        for name, column in zip(COLUMNS, self.facts(row_ids).columns, strict=True):
            rows = rows.append_column(name, column)
        return rows

    def inside(self, rows: pa.Table, row_ids: Ints) -> pa.Table:
        """The rows with the facts in one column of structs, as JSON has them."""
        return rows.append_column(MARK, self.facts(row_ids).to_struct_array())

    def in_lines(self, lines: pa.ChunkedArray, row_ids: Ints, places: Sequence[Place], said: Said) -> pa.Array:
        """JSON lines with the facts as their last key; what was there stays byte for byte.

        DataFormatError for a line that has the key already.
        """
        records = pl.Series("line", pl.from_arrow(lines), dtype=pl.String)
        _check_lines(records, places, said)
        head, end = pl.col("line").str.strip_suffix(pl.col("end")), pl.col("end")
        comma = pl.when(head.str.ends_with("{")).then(pl.lit("")).otherwise(pl.lit(", "))  # only `{}` has no key
        frame = pl.DataFrame([records, _spelled(self.facts(row_ids))])
        marked = frame.with_columns(end=pl.col("line").str.extract(_LINE_END)).select(
            pl.concat_str([head, comma, pl.lit(f'"{MARK}": '), pl.col("mark"), end])
        )
        return marked.to_series().to_arrow(compat_level=pl.CompatLevel.oldest())


def _spelled(facts: pa.Table) -> pl.Series:
    """The facts as JSON objects."""
    parts: list[pl.Expr] = []
    for at, name in enumerate(FACTS.names):
        value = pl.col(name).cast(pl.String)
        quoted = pl.concat_str([pl.lit('"'), value, pl.lit('"')]) if name == "stage" else value
        parts += [pl.lit(f'{", " if at else "{"}"{name}": '), quoted.fill_null("null")]
    return pl.DataFrame(facts).select(mark=pl.concat_str([*parts, pl.lit("}")])).to_series()


def _check_lines(lines: pl.Series, places: Sequence[Place], said: Said) -> None:
    for at in np.flatnonzero(lines.str.contains(_MAY_NAME).to_numpy()).tolist():
        if MARK in parse_line(lines[at]):
            raise DataFormatError(f"{said(places[at])}: {_taken(MARK)}")


def marked_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with a column for each fact; DataFormatError where a column has such a name."""
    check_free(schema.names, COLUMNS)
    for name, field in zip(COLUMNS, FACTS, strict=True):
        schema = schema.append(field.with_name(name))
    return schema


def check_free(names: Sequence[str], marks: Sequence[str] = (MARK,)) -> None:
    """DataFormatError where one of the user's columns is called as --mark calls its own."""
    for name in names:
        if name in marks:
            raise DataFormatError(_taken(name))


def check_names(names: Sequence[str], format: str) -> None:  # noqa: A002  the flag's name
    """The same for rows that are to be written in a format."""
    check_free(names, (MARK,) if format.startswith("jsonl") else COLUMNS)


def _taken(name: str) -> str:
    return f"there is a column {name!r} already, which output.mark writes. Rename it, or leave out output.mark."
