"""Hive partitions: what folders called `name=value` say of the rows below them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.writers import write_records
from entropyguard.core.ingest.columns import fields_of
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_input, find_sources
from entropyguard.core.ingest.reading_notes import reading_notes
from entropyguard.core.progress import silent
from entropyguard.core.rows.arrow_texts import paths_of_fields
from entropyguard.core.storage.checkpoint import Checkpoint
from tests.ingest.test_arrow_input import write_stream
from tests.ingest.test_ingest import params


def put(folder: Path, **columns: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": ["rain falls"], **columns}), folder / "part-0.parquet")
    return folder


def out(folder: Path, spec: str = "d") -> pa.Table:
    """The input as Parquet that was ingested and written again."""
    ingest(find_sources(str(folder / spec)), folder / "ingested.parquet", folder / "rejected", params(), silent)
    write_records(Checkpoint(folder / "ingested.parquet"), folder / "out", "parquet", silent)
    return pq.read_table(folder / "out")


def column(folder: Path, name: str, *folders: str) -> pa.ChunkedArray:
    for one in folders:
        put(folder / "d" / one)
    return out(folder)[name]


@pytest.mark.parametrize("spec", ["d", "d/**/*.parquet", "d/*/*/*"])
def test_folders_are_columns_behind_the_files_own(tmp_path: Path, spec: str) -> None:
    put(tmp_path / "d" / "year=2023" / "lang=en", n=[1])
    put(tmp_path / "d" / "year=2024" / "lang=de", n=[2])
    table = out(tmp_path, spec)
    assert table.schema.equals(
        pa.schema({"text": pa.string(), "n": pa.int64(), "year": pa.int64(), "lang": pa.string()})
    )
    assert table.drop_columns("text").to_pylist() == [
        {"n": 1, "year": 2023, "lang": "en"},
        {"n": 2, "year": 2024, "lang": "de"},
    ]
    assert [field.name for field in fields_of(find_sources(str(tmp_path / spec)))] == ["text", "n", "year", "lang"]
    assert reading_notes(find_input(str(tmp_path / spec)))[-1] == (
        "columns from the names of folders (year=2023/lang=en/): year, lang"
    )


def test_arrow_files_have_them_too(tmp_path: Path) -> None:
    (tmp_path / "d" / "year=2024").mkdir(parents=True)
    write_stream(tmp_path / "d" / "year=2024" / "a.arrow", pa.table({"text": ["rain falls"]}))
    assert out(tmp_path)["year"].to_pylist() == [2024]


@pytest.mark.parametrize(
    ("folders", "kind", "values"),
    [
        (["x=-7", "x=0"], pa.int64(), [-7, 0]),
        (["x=01", "x=2"], pa.string(), ["01", "2"]),
        (["x=2024", "x=a"], pa.string(), ["2024", "a"]),
        (["x=1.5"], pa.string(), ["1.5"]),
        (["x=9223372036854775807"], pa.int64(), [2**63 - 1]),
        (["x=9223372036854775808"], pa.string(), ["9223372036854775808"]),
        (["x="], pa.string(), [""]),
        (["x=a%2Fb%20c"], pa.string(), ["a/b c"]),
        (["%78=ż"], pa.string(), ["ż"]),
        (["x=1", "x=__HIVE_DEFAULT_PARTITION__"], pa.int64(), [1, None]),
        (["x=__HIVE_DEFAULT_PARTITION__"], pa.string(), [None]),
        (["x=1", "x=2/y=3"], pa.int64(), [1, 2]),
    ],
)
def test_values_are_whole_numbers_or_texts(tmp_path: Path, folders: list[str], kind: pa.DataType, values: Any) -> None:
    got = column(tmp_path, "x", *folders)
    assert (got.type, got.to_pylist()) == (kind, values)


def test_files_that_lie_less_deep_have_null(tmp_path: Path) -> None:
    assert column(tmp_path, "lang", "year=2023", "year=2024/lang=de").to_pylist() == [None, "de"]


@pytest.mark.parametrize(
    "own", [pa.array([2024], pa.int16()), pa.array(["2024"]).dictionary_encode(), pa.array([2024.0])]
)
def test_a_column_of_the_files_own_wins_where_it_says_the_same(tmp_path: Path, own: pa.Array) -> None:
    put(tmp_path / "d" / "year=2023")
    put(tmp_path / "d" / "year=2024", year=own)
    table = out(tmp_path)
    assert table.schema.equals(pa.schema({"text": pa.string(), "year": own.type}))
    assert table["year"].cast(pa.int64()).to_pylist() == [2023, 2024]


@pytest.mark.parametrize(
    ("folder", "own", "says"),
    [
        ("year=2024", [2023], r"part-0\.parquet, row 1: column 'year' is 2023, but the file lies in year=2024/"),
        ("year=2024", pa.array([None], pa.int64()), r"column 'year' is None, but the file lies in year=2024/"),
        ("year=__HIVE_DEFAULT_PARTITION__", [1], r"column 'year' is 1, but the file lies in year=__HIVE"),
        ("year=soon", [2023], r"lies in year=soon/, but column 'year' of the files holds int64"),
        ("year=2024", [[2024]], r"lies in year=2024/, but column 'year' of the files holds list"),
    ],
)
def test_a_column_of_the_files_own_that_says_other_is_refused(tmp_path: Path, folder: str, own: Any, says: str) -> None:
    put(tmp_path / "d" / folder, year=own)
    with pytest.raises(DataFormatError, match=says):
        out(tmp_path)


@pytest.mark.parametrize(
    ("folder", "says"), [("x=1/x=2", "two folders called x="), ("x=%FF", "folder x=%FF is no UTF-8")]
)
def test_names_that_say_nothing_are_refused(tmp_path: Path, folder: str, says: str) -> None:
    put(tmp_path / "d" / folder)
    with pytest.raises(DataFormatError, match=says):
        find_sources(str(tmp_path / "d"))


@pytest.mark.parametrize("spec", ["d/year=2024", "d/year=2024/part-0.parquet", "d/year=2024/*"])
def test_a_partition_that_was_named_itself_gives_no_column(tmp_path: Path, spec: str) -> None:
    put(tmp_path / "d" / "year=2024")
    assert out(tmp_path, spec).schema.names == ["text"]


def test_a_hidden_folder_that_a_glob_spells_gives_no_column(tmp_path: Path) -> None:
    put(tmp_path / "d" / ".year=2024")
    assert out(tmp_path, "d/.y*/*").schema.names == ["text"]


def test_a_folder_may_hold_the_text(tmp_path: Path) -> None:
    put(tmp_path / "d" / "year=2024" / "lang=en")
    paths = paths_of_fields(fields_of(find_sources(str(tmp_path / "d"))))
    assert paths.has_text("lang")
    assert not paths.has_text("year")
