"""Parquet input as strangers write it: shards of several writers, INT96, long texts in dictionaries and views."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.writers import write_records
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.ingest.parquet_rows import BATCH_BYTES, ParquetRows
from entropyguard.core.ingest.pieces import whole_files
from entropyguard.core.progress import silent
from entropyguard.core.rows.text import schema_of
from entropyguard.core.storage.checkpoint import Checkpoint
from tests.export.test_writers import checkpoint_of
from tests.ingest.test_ingest import params, read

TEXTS, IDS = pa.array(["rain falls", "cats sleep"]), pa.array([3, 4])
FIRST = pa.table({"id": [1, 2], "text": ["ships sail", "trees grow"]})
FAR, NEAR = datetime.datetime(9999, 12, 31), datetime.datetime(2000, 1, 1)


def shards(folder: Path, *tables: pa.Table) -> Path:
    for at, table in enumerate(tables):
        pq.write_table(table, folder / f"{at}.parquet")
    return folder


@pytest.mark.parametrize("first", [FIRST, FIRST.cast(pa.schema([("id", pa.int64()), ("text", pa.string_view())]))])
@pytest.mark.parametrize(
    "second",
    [
        pa.table({"id": IDS, "text": TEXTS.cast(pa.large_string())}),
        pa.table({"id": IDS, "text": TEXTS.cast(pa.string_view())}),
        pa.table({"id": IDS, "text": TEXTS.dictionary_encode()}),
        pa.table({"text": TEXTS, "id": IDS}),
        pa.table([IDS, TEXTS], schema=pa.schema([pa.field("id", pa.int64(), nullable=False), ("text", pa.string())])),
    ],
)
def test_shards_that_differ_in_their_writer_only_are_read(tmp_path: Path, first: pa.Table, second: pa.Table) -> None:
    checkpoint = Checkpoint(checkpoint_of(shards(tmp_path, first, second) / "*.parquet"))
    assert write_records(checkpoint, tmp_path / "out", "parquet", silent) == 4
    out = pq.read_table(tmp_path / "out")
    assert out.schema.equals(first.schema)
    assert out.to_pydict() == {
        "id": [1, 2, 3, 4],
        "text": ["ships sail", "trees grow", "rain falls", "cats sleep"],
    }


def test_nested_columns_differ_in_their_writer_only_as_well(tmp_path: Path) -> None:
    text = pa.array(["a"])
    first = pa.table({"text": text, "tags": pa.array([["x"]]), "d": pa.array([{"k": "v"}])})
    kinds = {"tags": pa.large_list(pa.large_string()), "d": pa.struct([("k", pa.large_string())])}
    second = pa.table({"text": text, "tags": pa.array([["y"]], kinds["tags"]), "d": pa.array([{"k": "w"}], kinds["d"])})
    records = read(shards(tmp_path, first, second)).records
    assert [(row["tags"], row["d"]) for row in records] == [(["x"], {"k": "v"}), (["y"], {"k": "w"})]


def test_a_column_that_is_all_null_in_one_shard_is_of_the_others_type(tmp_path: Path) -> None:
    second = pa.table({"id": pa.nulls(2), "text": TEXTS})
    assert [row["id"] for row in read(shards(tmp_path, FIRST, second)).records] == [1, 2, None, None]


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (
            pa.table({"id": IDS.cast(pa.int32()), "text": TEXTS}),
            r"1\.parquet: column 'id' holds int32, in the .* int64",
        ),
        (FIRST.append_column("id", IDS), r"1\.parquet has two columns called 'id'"),
    ],
)
def test_shards_that_really_differ_are_told_in_what(tmp_path: Path, second: pa.Table, says: str) -> None:
    with pytest.raises(DataFormatError, match=says):
        read(shards(tmp_path, FIRST, second))


def test_a_column_that_some_shards_lack_is_null_there(tmp_path: Path) -> None:
    required = pa.schema([pa.field("id", pa.int64(), nullable=False), ("text", pa.string())], {"k": "v"})
    folder = shards(tmp_path, FIRST.cast(required), pa.table({"text": TEXTS, "more": [["x"], None]}))
    got = read(folder)
    assert [(row["id"], row["more"]) for row in got.records] == [(1, None), (2, None), (None, ["x"]), (None, None)]
    schema = schema_of(got.about)
    assert (schema.names, schema.metadata) == (["id", "text", "more"], {b"k": b"v"})
    assert all(field.nullable for field in schema)


def test_null_is_allowed_where_any_shard_allows_it(tmp_path: Path) -> None:
    required = pa.schema([pa.field("id", pa.int64(), nullable=False), ("text", pa.string())])
    second = pa.table({"id": pa.array([3, None]), "text": TEXTS})
    got = read(shards(tmp_path, FIRST.cast(required), second))
    assert [row["id"] for row in got.records] == [1, 2, 3, None]
    assert schema_of(got.about).field("id").nullable
    assert not schema_of(read(tmp_path / "0.parquet").about).field("id").nullable


def test_rows_of_a_shard_without_the_text_column_are_rejected(tmp_path: Path) -> None:
    got = read(shards(tmp_path, FIRST, pa.table({"id": IDS})))
    assert [row["id"] for row in got.records] == [1, 2]
    assert [reason for *_, reason in got.reasons] == ["column 'text' is null"] * 2


def int96(folder: Path, stamps: pa.Array, name: str = "a.parquet") -> Path:
    table = pa.table({"text": [f"t{at}" for at in range(len(stamps))], "at": stamps})
    pq.write_table(table, folder / name, use_deprecated_int96_timestamps=True, store_schema=False)
    return folder / name


def stamps_out(folder: Path, source: Path) -> Any:
    write_records(Checkpoint(checkpoint_of(source)), folder / "out", "parquet", silent)
    return pq.read_table(folder / "out")["at"]


@pytest.mark.parametrize("nested", [False, True])
def test_an_old_timestamp_that_nanoseconds_cannot_hold_comes_out_as_it_was(tmp_path: Path, *, nested: bool) -> None:
    stamps: list[Any] = [FAR, None, NEAR, datetime.datetime(1, 1, 1)]
    kind = pa.list_(pa.timestamp("us")) if nested else pa.timestamp("us")
    stamps = [[one] for one in stamps] if nested else stamps
    out = stamps_out(tmp_path, int96(tmp_path, pa.array(stamps, kind)))
    assert out.to_pylist() == stamps


def test_old_timestamps_with_nanoseconds_keep_them(tmp_path: Path) -> None:
    out = stamps_out(tmp_path, int96(tmp_path, pa.array([1_000_000_000_123_456_789, -1], pa.timestamp("ns"))))
    assert out.cast(pa.int64()).to_pylist() == [1_000_000_000_123_456_789, -1]


def test_far_old_timestamps_beside_nanoseconds_are_refused_with_their_rows(tmp_path: Path) -> None:
    int96(tmp_path, pa.array([NEAR, FAR], pa.timestamp("us")), "a.parquet")
    int96(tmp_path, pa.array([1_000_000_000_123_456_789], pa.timestamp("ns")), "b.parquet")
    with pytest.raises(DataFormatError, match=r"a\.parquet, row 2: .* which .*b\.parquet, row 1 needs"):
        read(tmp_path)


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.dictionary(pa.int32(), pa.large_string())])
def test_long_texts_that_a_dictionary_holds_once_come_in_small_batches(tmp_path: Path, kind: pa.DataType) -> None:
    text = "x" * 100_000
    texts = pa.array([f"{at % 5}{text}" for at in range(600)], pa.large_string())
    texts = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    sources = find_sources(str(tmp_path))
    batches = list(ParquetRows(sources, params()).batches(whole_files(sources)))
    assert sum(batch.rows for batch in batches) == 600
    assert max(batch.rows for batch in batches) <= BATCH_BYTES // 100_000
    groups = Checkpoint(checkpoint_of(tmp_path / "a.parquet")).group_rows
    assert max(groups) * 100_000 < 40_000_000


def test_short_rows_come_many_at_a_time(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [f"t{at}" for at in range(10_000)]}), tmp_path / "a.parquet")
    sources = find_sources(str(tmp_path))
    assert [batch.rows for batch in ParquetRows(sources, params()).batches(whole_files(sources))] == [8_192, 1_808]
