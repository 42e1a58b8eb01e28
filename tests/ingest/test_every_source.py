"""The same rows through every source: the same text column is found, the same rows are kept, the same set aside."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from pyarrow import feather

from entropyguard.core.exact.mark import mark_exact_duplicates
from entropyguard.core.ingest.inputs import find_input
from entropyguard.core.rows.hashes import hashes_of
from entropyguard.run.request import Request
from entropyguard.run.settings import params_of
from entropyguard.run.wrong_use import input_of
from tests.ingest.test_arrow_input import save_dataset
from tests.ingest.test_ingest import read

TEXTS = [
    "ships sail at night",
    'a "quoted" word, and a comma',
    "two\nlines\tand a tab",
    None,  # rejected
    "Ships  sail at night",  # duplicate of 0
    "żółw é 漢 😀",
    "",
    '{"text": "looks like a row"}]',
    "back\\slash \\\\",
    "żółw é 漢 😀",  # duplicate of 5
]
ROWS = [{"id": f"n{at}", "text": text} for at, text in enumerate(TEXTS)]


def jsonl() -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def array(indent: int | None = None) -> bytes:
    return json.dumps(ROWS, ensure_ascii=False, indent=indent).encode()


def separated(separator: str) -> bytes:
    """With null as an empty field, the empty string as a quoted one."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["id", "text"])
    writer.writerows([row["id"], "NULL" if row["text"] is None else row["text"]] for row in ROWS)
    return out.getvalue().replace('"NULL"', "").encode()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


def arrow(**options: object) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(pa.Table.from_pylist(ROWS), sink, **options)
    return sink.getvalue()


def stream(compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


SOURCES: dict[str, Callable[[], bytes]] = {
    "a.jsonl": jsonl,
    "a.ndjson.gz": lambda: gzip.compress(jsonl()),
    "a.jsonl.zst": lambda: zstandard.compress(jsonl()),
    "a.json": array,
    "b.json": lambda: array(indent=2),
    "c.json": jsonl,
    "array.jsonl": array,
    "indented.jsonl": lambda: array(indent=4).replace(b"\n", b"\r\n"),
    "a.json.gz": lambda: gzip.compress(array(indent=1)),
    "a.json.zst": lambda: zstandard.compress(array()),
    "a.csv": lambda: separated(","),
    "a.csv.gz": lambda: gzip.compress(separated(",")),
    "a.csv.zst": lambda: zstandard.compress(separated(",")),
    "a.tsv": lambda: separated("\t"),
    "a.tsv.gz": lambda: gzip.compress(separated("\t")),
    "a.tsv.zst": lambda: zstandard.compress(separated("\t")),
    "a.parquet": parquet,
    "a.arrow": lambda: arrow(compression="uncompressed"),
    "b.arrow": stream,
    "a.arrows": lambda: stream("zstd"),
    "a.feather": lambda: arrow(compression="lz4", chunksize=4),
    "b.feather": lambda: arrow(compression="zstd"),
}
NAMES = [*SOURCES, "saved"]


def made(folder: Path, name: str) -> str:
    """A source in a folder; `saved` is one of Hugging Face's."""
    if name == "saved":
        save_dataset(folder / name, pa.Table.from_pylist(ROWS[:7]), pa.Table.from_pylist(ROWS[7:]))
    else:
        (folder / name).write_bytes(SOURCES[name]())
    return str(folder / name)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_are_read_from_every_source(tmp_path: Path, name: str) -> None:
    spec = made(tmp_path, name)
    found = find_input(spec)
    request = Request(spec, str(tmp_path / "out.jsonl"), no_semantic=True)
    given = params_of(request, found.sources).ingest
    assert given.text_column == "text"
    got = read(spec, given)
    assert (got.counts.rows, got.counts.rejected) == (10, 1)
    assert [row for row, *_ in got.where] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert [(row["row_id"], row["reason"]) for row in got.rejected] == [(3, "column 'text' is null")]
    assert values(got.table) == [row for row in ROWS if row["text"] is not None]
    assert mark_exact_duplicates(hashes_of(got.table["hash"])).tolist() == [0, 1, 2, 0, 4, 5, 6, 7, 4]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_are_rejected_for_a_required_column(tmp_path: Path, name: str) -> None:
    spec = made(tmp_path, name)
    request = Request(spec, str(tmp_path / "out.jsonl"), no_semantic=True, required_columns=("id",))
    sources = find_input(spec).sources
    assert read(spec, params_of(request, sources).ingest).counts.rejected == 1


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("utf-16.csv", "utf-16"),
        ("utf-16-le.csv", "utf-16-le"),
        ("utf-16.jsonl", "UTF16"),
        ("utf-16-be.tsv.gz", "utf-16-be"),
        ("utf-16.json", "utf-16"),
        ("utf-8.csv", "utf-8-sig"),
        ("gb18030.jsonl.zst", "gb18030"),
    ],
)
def test_the_same_rows_are_read_from_other_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    stem, _, ending = name.partition(".")
    plain = SOURCES[f"a.{ending.partition('.')[0]}"]().decode()
    data = plain.encode(stem)
    path = tmp_path / f"a.{ending}"
    if path.suffix in {".gz", ".zst"}:
        data = gzip.compress(data) if path.suffix == ".gz" else zstandard.compress(data)
    path.write_bytes(data)
    request = Request(str(path), str(tmp_path / "out.jsonl"), no_semantic=True, encoding=encoding)
    given = params_of(request, input_of(request).sources).ingest
    assert given.text_column == "text"
    got = read(path, given)
    assert values(got.table) == [row for row in ROWS if row["text"] is not None]
    assert got.records == read(made(tmp_path, f"a.{ending.partition('.')[0]}")).records


def values(table: pa.Table) -> list[dict[str, str | None]]:
    """The rows of a checkpoint, however it keeps them."""
    records = table["record"]
    if pa.types.is_struct(records.type):
        return list(records.to_pylist())
    assert not pc.any(pc.match_substring(records, "\n")).as_py()
    return list(map(json.loads, records.to_pylist()))
