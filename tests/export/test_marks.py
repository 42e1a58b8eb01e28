"""Marks: every row is written in the order of the input, and what a user gave stays as it was."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.marks import COLUMNS, FACTS, MARK, NO_KEEPER, Marks, check_names
from entropyguard.core.export.record_rows import line_only
from entropyguard.core.export.writers import write_records
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import IngestParams
from entropyguard.core.progress import silent
from entropyguard.core.rows.schemas import COLUMNS as KEPT_COLUMNS
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_filter import keep_rows

TEXTS = ["one", "two", "One", "three, four", "", "two", 'five "5"', "one", "six\nseven", "two", "é", "one"]
GONE = {2: 0, 5: 1, 7: 0, 9: 1, 11: 0}
"""The repeated texts, and the row each goes for."""


def marks(rows: int) -> Marks:
    stage, keeper = np.zeros(rows, dtype=np.int8), np.full(rows, NO_KEEPER, dtype=np.int64)
    similarity, cluster = np.full(rows, np.nan), np.arange(rows)
    for row, other in GONE.items():
        if row < rows:
            stage[row], keeper[row], similarity[row], cluster[row] = 2, other, 0.9375, other
    return Marks(["exact_dedup", "near_dedup"], stage, keeper, similarity, cluster)


def marked(lines: list[str]) -> list[str]:
    array = pa.chunked_array([pa.array(lines, pa.large_string())])
    places = [(0, at + 1) for at in range(len(lines))]
    return list(marks(len(lines)).in_lines(array, np.arange(len(lines)), places, line_only).to_pylist())


KEPT = ', "entropyguard": {"row_id": 0, "keep": true, "stage": null, "keeper_row_id": null, "similarity": null, ' + (
    '"cluster": 0}'
)


@pytest.mark.parametrize(
    ("line", "head", "end"),
    [
        ('{"text": "a"}', '{"text": "a"', "}"),
        ('  {"text" : "a" }', '  {"text" : "a"', " }"),
        ('{"text": "a"\t} \r', '{"text": "a"', "\t} \r"),
        ('{"text": "}", "d": {"e": {}}}', '{"text": "}", "d": {"e": {}}', "}"),
        ('{"text": "\\ud800 \u2028 }", "n": 1e400}', '{"text": "\\ud800 \u2028 }", "n": 1e400', "}"),
        (
            '{"text": "entropyguard", "d": {"entropyguard": 1}}',
            '{"text": "entropyguard", "d": {"entropyguard": 1}',
            "}",
        ),
    ],
)
def test_a_line_keeps_its_bytes_and_has_one_more_key_at_its_end(line: str, head: str, end: str) -> None:
    assert marked([line]) == [head + KEPT + end]


def test_an_empty_object_gets_no_comma() -> None:
    assert marked(["{ }"]) == ["{" + KEPT.removeprefix(", ") + " }"]


BLANK = st.text(" \t\r", max_size=2)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(BLANK, BLANK, st.dictionaries(st.text("abc}", max_size=3), VALUES, max_size=3), st.booleans())
def test_any_object_is_what_it_was_but_for_the_last_key(
    before: str, after: str, row: dict[str, object], escapes: bool
) -> None:
    (line,) = marked([f"{before}{json.dumps(row, ensure_ascii=escapes)[:-1]}{after}}}{before}"])
    read = json.loads(line)
    assert list(read) == [*row, MARK]
    assert read.pop(MARK)["keep"] is True
    assert read == row


def test_a_row_that_went_says_by_which_stage_and_for_which_row() -> None:
    last = json.loads(marked(['{"text": "a"}'] * 3)[2])[MARK]
    assert last == {
        "row_id": 2,
        "keep": False,
        "stage": "near_dedup",
        "keeper_row_id": 0,
        "similarity": 0.9375,
        "cluster": 0,
    }


@pytest.mark.parametrize("name", ['"entropyguard"', '"\\u0065ntropyguar\\u0064"'])
def test_a_line_that_has_the_key_already_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(DataFormatError, match=r"Line 2: there is a column 'entropyguard' already.*Rename it"):
        marked(['{"text": "a"}', '{"text": "a", ' + name + ": 1}"])


@pytest.mark.parametrize(("kind", "name"), [("csv", "entropyguard_keep"), ("parquet", "entropyguard_cluster")])
def test_a_column_of_the_name_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    source = ingested(tmp_path, "jsonl", {"text": TEXTS, name: TEXTS})
    with pytest.raises(DataFormatError, match=rf"there is a column '{name}' already"):
        write_records(source, tmp_path / "out", kind, silent, line_only, marks(len(TEXTS)))
    with pytest.raises(DataFormatError, match=name):
        check_names(["text", name], kind)
    check_names(["text", name], "jsonl.gz")


def ingested(folder: Path, kind: str, columns: dict[str, list[str]]) -> Checkpoint:
    """The rows as ingest stores them: those whose text was seen before in row groups of their own."""
    file, frame = folder / f"data.{kind}", pl.DataFrame(columns)
    if kind == "csv":
        frame.write_csv(file)
    elif kind == "parquet":
        pq.write_table(frame.to_arrow(), file)
    else:
        frame.write_ndjson(file)
    params = IngestParams("text", (), strict=False, max_line_bytes=1 << 27, encoding="utf-8")
    ingest(find_sources(str(file)), folder / "ingested.parquet", folder / "rejected", params, silent, group_rows=2)
    return Checkpoint(folder / "ingested.parquet")


def rows_of(file: Path) -> pl.DataFrame:
    if file.suffix == ".parquet":
        return pl.DataFrame(pq.read_table(file))
    return pl.read_csv(file, infer_schema=False) if file.suffix == ".csv" else pl.read_ndjson(gzipped(file))


def gzipped(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        *(("jsonl", kind) for kind in ("jsonl", "jsonl.gz", "csv", "parquet")),
        *(("csv", kind) for kind in ("csv", "jsonl", "parquet")),
        *(("parquet", kind) for kind in ("parquet", "jsonl", "csv")),
    ],
)
def test_the_rows_marked_as_kept_are_the_output_without_marks(tmp_path: Path, source: str, kind: str) -> None:
    rows = ingested(tmp_path, source, {"text": TEXTS, "n": [str(at) for at in range(len(TEXTS))]})
    if source != "csv":  # in CSV an empty text is null, and rejected
        assert rows.rows == len(TEXTS)
    assert Checkpoint(tmp_path / "ingested.parquet").positions.tolist() != list(range(rows.rows))
    stays = np.array([row not in GONE for row in rows.row_ids.tolist()])
    kept = tmp_path / "kept.parquet"
    keep_rows(rows, kept, KEPT_COLUMNS, rows.metadata, stays, silent)
    plain, all_rows = tmp_path / f"plain.{kind}", tmp_path / f"marked.{kind}"
    write_records(Checkpoint(kept), plain, kind, silent)
    assert write_records(rows, all_rows, kind, silent, line_only, marks(len(TEXTS))) == rows.rows
    got = rows_of(all_rows)
    got = got.unnest(MARK, separator="_") if MARK in got.columns else got
    assert got.columns == ["text", "n", *COLUMNS]
    assert got["n"].to_list() == [str(row) for row in rows.row_ids]  # in the order of the input
    assert got["n"].to_list() == got[COLUMNS[0]].cast(pl.String).to_list()
    keep = got[COLUMNS[1]].cast(pl.String) == "true"
    assert got.filter(keep).select("text", "n").equals(rows_of(plain).select("text", "n"))
    assert got.filter(~keep)[COLUMNS[3]].cast(pl.Int64).to_list() == list(GONE.values())
    if kind.startswith("jsonl") and source == "jsonl":
        lines = gzipped(all_rows).decode().splitlines(keepends=True)
        unmarked = [line[: line.index(f', "{MARK}"')] + "}\n" for line in lines]
        assert "".join(line for line, stay in zip(unmarked, stays, strict=True) if stay).encode() == gzipped(plain)


def test_parquet_keeps_the_users_schema_and_has_typed_marks_behind_it(tmp_path: Path) -> None:
    rows = ingested(tmp_path, "parquet", {"text": TEXTS})
    write_records(rows, tmp_path / "out.parquet", "parquet", silent, line_only, marks(len(TEXTS)))
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert schema.field("text") == pq.read_schema(tmp_path / "data.parquet").field("text")
    assert [field.type for field in schema][1:] == FACTS.types
