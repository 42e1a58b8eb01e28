"""The audit: one record for each row that did not come out, with the row that stands for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from entropyguard.core.errors import ProcessingError, UsageError
from entropyguard.core.report.excerpt import excerpts
from entropyguard.core.report.lineage import Lineage
from entropyguard.core.report.word_marks import as_columns
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.words.numbers import numbers_in
from entropyguard.core.words.split import Words
from entropyguard.core.words.word_diff import word_diffs

AUDIT_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
"""The formats of an audit by the ending of its path."""

AUDIT_SCHEMA = pl.Schema(
    {
        "row_id": pl.Int64,
        "file": pl.String,
        "line": pl.Int64,
        "stage": pl.String,
        "reason": pl.String,
        "keeper_row_id": pl.Int64,
        "keeper_file": pl.String,
        "keeper_line": pl.Int64,
        "final_keeper_row_id": pl.Int64,
        "similarity": pl.Float64,
        "missing_words": pl.String,
        "extra_words": pl.String,
        "misspelt_words": pl.String,
        "numbers": pl.String,
        "keeper_numbers": pl.String,
        "text": pl.String,
        "keeper_text": pl.String,
    }
)
"""The columns of an audit.

Those of words and numbers are of near and of semantic duplicates: words that the row lacks and its keeper has, words
that it has alone, and `teh -> the; caseutils -> case utils`, from the row to its keeper. They are in lower case,
without punctuation. Numbers are those that the guard compares, each in one spelling.
"""

_COMPARED = ("near", "semantic")
"""Reasons for which two texts were compared that are not the same."""

_COMPARED_AT_ONCE = 10_000


def audit_format(path: str | Path) -> str:
    """The format a path's ending asks for; UsageError for an unknown one."""
    for ending, name in AUDIT_FORMATS.items():
        if str(path).lower().endswith(ending):
            return name
    raise UsageError(f"--audit-log {path}: the ending tells the format; known are {', '.join(AUDIT_FORMATS)}.")


def write_audit(
    lineage: Lineage,
    out: Path,
    format: str,  # noqa: A002  its name everywhere else
    text_chars: int | None = 1000,
    characters_at_once: int = 100_000_000,
) -> int:
    """Write a record (`AUDIT_SCHEMA`) for each dropped or rejected row, by row id; their number.

    out: written in place; the caller gives a temporary path.
    format: jsonl, json (one array), csv (with a header) or parquet.
    text_chars: longer texts are cut to so many characters, with "…" for the rest; those of a near or a semantic
    duplicate and its keeper where they first differ, the others at their end. None: texts are whole.

    Words and numbers are found in the whole texts.

    Memory: 80 bytes for each dropped or rejected row, one row group, and at a time so many records that their
    texts have at most `characters_at_once` (by default 50,000 records of 1,000 characters for each of two texts).
    The rows they need are read anew for each such slice, but for row groups that hold none of them; so are the whole
    texts of 10,000 near and semantic duplicates and their keepers at a time, or of any 10,000 where none are cut.
    """
    if text_chars is not None and text_chars < 1:
        raise UsageError(f"text_chars is {text_chars}; it must be 1 or more.")
    writers = {"jsonl": _write_jsonl, "json": _write_json, "csv": _write_csv, "parquet": _write_parquet}
    if format not in writers:
        raise UsageError(f"The format of an audit is {format!r}; it must be {', '.join(writers)}.")
    return writers[format](out, _slices(lineage, text_chars, characters_at_once))


def _slices(lineage: Lineage, text_chars: int | None, characters_at_once: int) -> Iterator[pl.DataFrame]:
    """The records, some at a time."""
    dropped = lineage.dropped_rows()
    rejected_ids = pl.Series("row_id", [row["row_id"] for row in lineage.rejected_rows(1)], pl.Int64)
    size = _COMPARED_AT_ONCE if text_chars is None else max(1, characters_at_once // (2 * text_chars))
    ids = pl.concat([dropped["row_id"], rejected_ids]).sort()
    if ids.is_duplicated().any():
        raise ProcessingError("A row was dropped or rejected twice. Run the pipeline again.")
    rejected = lineage.rejected_rows(text_chars)
    done = 0
    for start in range(0, ids.len(), size):
        until = int(dropped["row_id"].search_sorted(ids[min(start + size, ids.len()) - 1], side="right"))
        count = min(size, ids.len() - start) - (until - done)
        records = pl.concat(
            [
                _dropped_records(lineage, dropped[done:until], text_chars),
                _rejected_records(list(islice(rejected, count))),
            ]
        )
        names = {name: lineage.named(records[name]) for name in ("file", "keeper_file")}
        yield records.with_columns(**names).sort("row_id")
        done = until


def _dropped_records(lineage: Lineage, dropped: pl.DataFrame, text_chars: int | None) -> pl.DataFrame:
    rows = lineage.gather(pl.concat([dropped["row_id"], dropped["keeper_row_id"]]), text_chars)
    keepers = rows.rename({name: f"keeper_{name}" for name in rows.columns})
    joined = dropped.join(rows, on="row_id", how="left").join(keepers, on="keeper_row_id", how="left")
    compared = _compared(lineage, dropped.filter(pl.col("reason").is_in(_COMPARED)), text_chars)
    joined = joined.join(compared, on="row_id", how="left", suffix="_compared")
    texts = {name: pl.coalesce(f"{name}_compared", name) for name in ("text", "keeper_text")}
    return joined.with_columns(**texts).select(AUDIT_SCHEMA.names())


def _compared(lineage: Lineage, dropped: pl.DataFrame, text_chars: int | None) -> pl.DataFrame:
    """By row_id what rows and their keepers differ in, and both texts, cut where they first differ."""
    names = ("row_id", *AUDIT_SCHEMA.names()[AUDIT_SCHEMA.names().index("missing_words") :])
    found: list[tuple[int | str, ...]] = []
    for rows in dropped.iter_slices(_COMPARED_AT_ONCE):
        texts = lineage.gather(pl.concat([rows["row_id"], rows["keeper_row_id"]])).select("row_id", "text")
        pairs = rows.join(texts, on="row_id", how="left", maintain_order="left").join(
            texts, left_on="keeper_row_id", right_on="row_id", how="left", maintain_order="left", suffix="_keeper"
        )
        sides = pairs["text"], pairs["text_keeper"]
        columns = zip(pairs["row_id"], word_diffs(*sides), *map(_numbers, sides), *sides, strict=True)
        for row, difference, numbers, keepers, text, keeper_text in columns:
            shown = excerpts(text, keeper_text, text_chars)
            found.append((row, *as_columns(difference), numbers, keepers, *shown))
    return pl.DataFrame(found, schema={name: AUDIT_SCHEMA[name] for name in names}, orient="row")


def _numbers(texts: pl.Series) -> list[str]:
    """The numbers of each text, as the guard has them."""
    return [" ".join(sorted(numbers_in(words).elements())) for words in Words(texts).words]


def _rejected_records(rejected: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {name: AUDIT_SCHEMA[name] for name in ("row_id", "line", "reason", "text")}
    rows = pl.DataFrame(rejected, schema={**schema, "file": pl.Int32})
    missing = {name: pl.lit(None, kind) for name, kind in AUDIT_SCHEMA.items() if name not in rows.columns}
    missing["keeper_file"] = pl.lit(None, pl.Int32)
    return rows.with_columns(**{**missing, "stage": pl.lit("ingest")}).select(AUDIT_SCHEMA.names())


def _write_jsonl(out: Path, slices: Iterator[pl.DataFrame]) -> int:
    count = 0
    with out.open("wb") as file:
        for records in slices:
            records.write_ndjson(file)
            count += records.height
    return count


def _write_json(out: Path, slices: Iterator[pl.DataFrame]) -> int:
    count = 0
    with out.open("wb") as file:
        for records in slices:
            lines = records.write_ndjson().rstrip("\n").encode()
            # No line break can stand inside a JSON value, so each is the end of a record.
            file.write((b",\n" if count else b"[\n") + lines.replace(b"\n", b",\n"))
            count += records.height
        file.write(b"\n]\n" if count else b"[]\n")
    return count


def _write_csv(out: Path, slices: Iterator[pl.DataFrame]) -> int:
    count = 0
    with out.open("wb") as file:
        pl.DataFrame(schema=AUDIT_SCHEMA).write_csv(file)
        for records in slices:
            records.write_csv(file, include_header=False)
            count += records.height
    return count


def _write_parquet(out: Path, slices: Iterator[pl.DataFrame]) -> int:
    count = 0
    with TableWriter(out, pl.DataFrame(schema=AUDIT_SCHEMA).to_arrow().schema) as writer:
        for records in slices:
            writer.write(records.to_arrow())
            count += records.height
    return count
