"""What became of every row of a finished run, and the texts of chosen rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from entropyguard.core.errors import ProcessingError
from entropyguard.core.rows.schemas import COLUMNS
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint

_CURE = "Run the pipeline again (on the command line: with --resume)."


@dataclass(frozen=True)
class Row:
    """A row of the input: its id, the file and the line (from 1) it came from, and its text."""

    row_id: int
    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Lineage:
    """The checkpoints of a run, by which every row of the input is kept, dropped or rejected.

    rejected: the file of rejected rows. dropped: by stage, in the order of the stages. names: the input files in the
    order of their ordinals, as the user knows them.
    """

    ingested: Checkpoint
    rejected: Path
    dropped: Mapping[str, Checkpoint]
    kept: Checkpoint
    names: Sequence[str]

    def check(self) -> None:
        """ProcessingError when the checkpoints are not of one and the same finished run."""
        gone = sum(dropped.rows for dropped in self.dropped.values())
        if self.ingested.rows != self.kept.rows + gone:
            raise ProcessingError(
                f"The checkpoints are of no finished run: of {self.ingested.rows} rows {self.kept.rows} are kept and "
                f"{gone} dropped. {_CURE}"
            )

    def dropped_rows(self) -> pl.DataFrame:
        """All dropped rows by ascending row id, about 70 bytes each.

        Columns: row_id, stage, reason, keeper_row_id, final_keeper_row_id (the row of the output that stands for it)
        and similarity; the last three null where there is none.
        """
        # A stage's keeper may itself be dropped by a later stage: the last stage's keepers are rows of the output.
        later = _dropped_by("", None).with_columns(final_keeper_row_id="keeper_row_id")
        for stage, dropped in reversed(list(self.dropped.items())):
            further = later.select(keeper_row_id="row_id", further="final_keeper_row_id")
            rows = _dropped_by(stage, dropped).join(further, on="keeper_row_id", how="left", maintain_order="left")
            rows = rows.with_columns(final_keeper_row_id=pl.coalesce("further", "keeper_row_id")).drop("further")
            later = pl.concat([rows, later.select(rows.columns)])
        return later.sort("row_id")

    def rejected_rows(self, text_chars: int | None = None) -> Iterator[dict[str, Any]]:
        """The rejected rows in order: row_id, file (ordinal), line, reason, text (cut to `text_chars`)."""
        before = -1
        with self.rejected.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    row = json.loads(line)
                    text = printable(row["raw"])
                    known = {name: row[name] for name in ("row_id", "file", "line", "reason")}
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise ProcessingError(
                        f"{self.rejected.name}, line {number} cannot be read ({error}). {_CURE}"
                    ) from error
                if known["row_id"] <= before:
                    raise ProcessingError(f"{self.rejected.name}, line {number} is out of order. {_CURE}")
                before = known["row_id"]
                yield {**known, "text": text if text_chars is None else _cut(text, text_chars)}

    def named(self, files: pl.Series) -> pl.Series:
        """The names of files given by their ordinals. ProcessingError when the run read more files than there are."""
        highest: Any = files.max()
        if highest is not None and highest >= len(self.names):
            raise ProcessingError(
                f"The run read {highest + 1} or more input files, but {len(self.names)} are known now. {_CURE}"
            )
        return pl.Series([printable(name) for name in self.names], dtype=pl.String).gather(files)

    def rows(self, row_ids: Iterable[int | None], text_chars: int | None = None) -> dict[int, Row]:
        """The rows with these ids, by their ids; texts cut to `text_chars`. ProcessingError when one is not there."""
        found = self.gather(pl.Series(list(row_ids), dtype=pl.Int64), text_chars)
        found = found.with_columns(file=self.named(found["file"]))
        return {row[0]: Row(*row) for row in found.select("row_id", "file", "line", "text").iter_rows()}

    def gather(self, row_ids: pl.Series, text_chars: int | None = None, whole: Collection[int] = ()) -> pl.DataFrame:
        """The rows of the ingested input with these ids, ascending: row_id, file (ordinal), line, text.

        Texts are cut to `text_chars` characters and end in "…" then, but for those of the rows in `whole`. Row groups
        without a wanted row are not read. Memory holds the rows asked for. ProcessingError when one is not there.
        """
        wanted = row_ids.drop_nulls().unique().sort().rename("row_id")
        found = [pl.DataFrame(schema={"row_id": pl.Int64, "file": pl.Int32, "line": pl.Int64, "text": pl.String})]
        for chosen in _tables_with(self.ingested, wanted):
            rows = pl.DataFrame(chosen.select(["row_id", "file", "line"]))
            rows = rows.with_columns(texts_of(chosen, self.ingested.metadata).alias("text"))
            text = pl.col("text")
            if text_chars is not None:
                is_cut = (text.str.len_chars() > text_chars) & ~pl.col("row_id").is_in(list(whole))
                rows = rows.with_columns(pl.when(is_cut).then(text.str.head(text_chars) + "…").otherwise(text))
            found.append(rows)
        rows = pl.concat(found).sort("row_id")
        if rows.height != wanted.len():
            missing = wanted.filter(~wanted.is_in(rows["row_id"].implode()))[0]
            raise ProcessingError(f"The input has no row {missing}, which a checkpoint names. {_CURE}")
        return rows


def _dropped_by(stage: str, dropped: Checkpoint | None) -> pl.DataFrame:
    """The rows that a stage dropped; none where None is given."""
    schema = {"row_id": pl.Int64, "reason": pl.String, "keeper_row_id": pl.Int64, "similarity": pl.Float64}
    read = dropped.tables(list(schema)) if dropped else ()
    tables = [pl.DataFrame(table).cast(schema) for table in read]  # type: ignore[arg-type]
    return pl.concat([pl.DataFrame(schema=schema), *tables]).with_columns(stage=pl.lit(stage))


def _cut(text: str, text_chars: int) -> str:
    return text if len(text) <= text_chars else text[:text_chars] + "…"


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (undecodable bytes of a file's name) as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _tables_with(checkpoint: Checkpoint, wanted: pl.Series) -> Iterator[pa.Table]:
    """The wanted rows (ids, sorted), of the row groups that can hold one by the statistics in the footer."""
    if wanted.is_empty():
        return
    with checkpoint.opened() as file:
        at = checkpoint.schema.names.index("row_id")
        bounds = [file.metadata.row_group(index).column(at).statistics for index in range(file.num_row_groups)]
    for table in checkpoint.slices(COLUMNS, [index for index, found in enumerate(bounds) if _can_hold(found, wanted)]):
        mask = pl.Series(pl.from_arrow(table["row_id"])).is_in(wanted.implode())
        if mask.any():
            yield table.filter(pa.array(mask.to_numpy()))


def _can_hold(bounds: Any, wanted: pl.Series) -> bool:
    """Whether a row group with these least and highest ids can hold one of the wanted."""
    if bounds is None or not bounds.has_min_max:
        return True
    after = int(wanted.search_sorted(bounds.min))
    return after < wanted.len() and wanted[after] <= bounds.max
