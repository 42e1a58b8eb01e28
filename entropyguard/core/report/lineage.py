"""What became of every row of a finished run, and the texts of chosen rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from entropyguard.core.errors import ProcessingError
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.parquet import open_parquet, read_about, read_tables, row_count

INGESTED, REJECTED, KEPT = "ingested.parquet", "rejected.jsonl", "after_semantic_dedup.parquet"
DROPPED = {"exact_dedup": "dropped/exact.parquet", "semantic_dedup": "dropped/semantic.parquet"}

_CURE = "Run again with --resume (in a data repo: `dvc repro`)."


def check_finished(project: Path) -> None:
    """ProcessingError unless all that a finished run leaves is there, and from one and the same run."""
    for name in (INGESTED, REJECTED, *DROPPED.values(), KEPT):
        if not (project / name).is_file():
            raise ProcessingError(f"{project} holds no finished run: {name} is missing. {_CURE}")
    dropped = sum(row_count(project / name) for name in DROPPED.values())
    ingested, kept = row_count(project / INGESTED), row_count(project / KEPT)
    if ingested != kept + dropped:
        raise ProcessingError(
            f"{project} holds no finished run: of {ingested} rows {kept} are kept and {dropped} dropped. {_CURE}"
        )


def dropped_rows(project: Path) -> pl.DataFrame:
    """All dropped rows by ascending row id, about 70 bytes each.

    Columns: row_id, stage, reason, keeper_row_id, final_keeper_row_id (the row of the output that stands for it) and
    similarity; the last three null where there is none.
    """
    exact, semantic = (_read_dropped(project, stage) for stage in DROPPED)
    # The keeper of an exact duplicate may itself be a semantic duplicate; what that one points to is in the output.
    further = semantic.select(keeper_row_id="row_id", further="keeper_row_id")
    exact = exact.join(further, on="keeper_row_id", how="left", maintain_order="left")
    exact = exact.with_columns(final_keeper_row_id=pl.coalesce("further", "keeper_row_id")).drop("further")
    semantic = semantic.with_columns(final_keeper_row_id="keeper_row_id")
    return pl.concat([exact, semantic.select(exact.columns)]).sort("row_id")


def _read_dropped(project: Path, stage: str) -> pl.DataFrame:
    schema = {"row_id": pl.Int64, "reason": pl.String, "keeper_row_id": pl.Int64, "similarity": pl.Float64}
    tables = [pl.DataFrame(table).cast(schema) for table in read_tables(project / DROPPED[stage], list(schema))]  # type: ignore[arg-type]
    return pl.concat([pl.DataFrame(schema=schema), *tables]).with_columns(stage=pl.lit(stage))


def rejected_rows(project: Path, text_chars: int | None = None) -> Iterator[dict[str, Any]]:
    """The rejected rows in order, one at a time: row_id, file (ordinal), line, reason, text (cut to `text_chars`)."""
    before = -1
    with (project / REJECTED).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                text = printable(row["raw"])
                known = {name: row[name] for name in ("row_id", "file", "line", "reason")}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ProcessingError(f"{REJECTED}, line {number} cannot be read ({error}). {_CURE}") from error
            if known["row_id"] <= before:
                raise ProcessingError(f"{REJECTED}, line {number} is out of order. {_CURE}")
            before = known["row_id"]
            yield {**known, "text": text if text_chars is None or len(text) <= text_chars else text[:text_chars] + "…"}


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (undecodable bytes of a file's name) as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_names(names: list[str], highest: Any) -> None:
    """ProcessingError when the run read more files than there are names."""
    if highest is not None and highest >= len(names):
        raise ProcessingError(
            f"The run read {highest + 1} or more input files, but {len(names)} are known now. {_CURE}"
        )


def gather_rows(project: Path, row_ids: pl.Series, text_chars: int | None = None) -> pl.DataFrame:
    """The rows of `ingested.parquet` with these ids, ascending: row_id, file (ordinal), line, text.

    Texts are cut to `text_chars` characters and end in "…" then. Row groups without a wanted row are not read;
    memory holds one row group and the rows asked for. ProcessingError when one is not there.
    """
    wanted = row_ids.drop_nulls().unique().sort().rename("row_id")
    found = [pl.DataFrame(schema={"row_id": pl.Int64, "file": pl.Int32, "line": pl.Int64, "text": pl.String})]
    about = read_about(project / INGESTED)
    for table in _tables_with(project / INGESTED, wanted):
        mask = pl.DataFrame(table.select(["row_id"]))["row_id"].is_in(wanted.implode())
        chosen = table.filter(pa.array(mask.to_numpy()))
        rows = pl.DataFrame(chosen.select(["row_id", "file", "line"]))
        rows = rows.with_columns(texts_of(chosen, about).alias("text"))
        text = pl.col("text")
        if text_chars is not None:
            rows = rows.with_columns(
                pl.when(text.str.len_chars() > text_chars).then(text.str.head(text_chars) + "…").otherwise(text)
            )
        found.append(rows)
    rows = pl.concat(found).sort("row_id")
    if rows.height != wanted.len():
        missing = wanted.filter(~wanted.is_in(rows["row_id"].implode()))[0]
        raise ProcessingError(f"{INGESTED} has no row {missing}, which another checkpoint names. {_CURE}")
    return rows


def _tables_with(path: Path, wanted: pl.Series) -> Iterator[pa.Table]:
    """The row groups that can hold one of the wanted row ids (sorted), by the statistics in the footer."""
    if wanted.is_empty():
        return
    with open_parquet(path) as file:
        at = file.schema_arrow.names.index("row_id")
        for index in range(file.num_row_groups):
            bounds = file.metadata.row_group(index).column(at).statistics
            if bounds is not None and bounds.has_min_max:
                after = int(wanted.search_sorted(bounds.min))
                if after == wanted.len() or wanted[after] > bounds.max:
                    continue
            yield file.read_row_group(index)
