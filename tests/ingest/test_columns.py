"""Which columns an input has, in any of its rows, and which of them are compared where nobody says so."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.columns import fields_of, paths_of_input, text_columns
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.rows.arrow_texts import paths_of_fields
from entropyguard.core.rows.text_paths import Paths
from entropyguard.run.request import Request
from entropyguard.run.settings import params_of
from tests.ingest.test_ingest import params, read

CHAT = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": None}]}
CHAT_OF_PARTS = {"messages": [{"content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {}}]}]}
SHARED = {"conversations": [{"from": "human", "value": "hello"}]}
ORDER = {"instruction": "add", "input": "1 2", "output": "3"}


def paths_of(folder: Path, *lines: str) -> Paths:
    (folder / "a.jsonl").write_text("\n".join(lines))
    return paths_of_input(find_sources(str(folder / "a.jsonl")), "text")


def chosen(folder: Path, *rows: Any) -> list[str]:
    return text_columns(paths_of(folder, *map(json.dumps, rows)), "text")


def text_of_each(paths: Paths) -> dict[str, bool]:
    return {name: paths.holds_text(name) for name in paths.columns}


def test_the_columns_that_hold_text_are_known(tmp_path: Path) -> None:
    rows = ['{"a": "x", "n": 1, "mixed": "x", "none": null}', "no json", "[1]", '{"mixed": 2, "b": "y", "a": null}']
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write("\n".join(rows))
    expected = {"a": True, "n": False, "mixed": False, "none": False, "b": True}
    assert text_of_each(paths_of_input(find_sources(str(tmp_path / "a.jsonl.gz")), "text")) == expected


@pytest.mark.parametrize("odd", ["", "no json", '{"n": 1, "n": "twice"}', '{"n": NaN}', '{"n": "1"}'])
def test_both_readers_see_the_same_columns(tmp_path: Path, odd: str) -> None:
    lines = [
        json.dumps(row)
        for row in [{"n": 1, "when": "2024-01-01", "meta": {"title": "x", "at": "2024-01-01T00:00:00Z"}}, CHAT, SHARED]
    ]
    paths = paths_of(tmp_path, *lines, odd)
    assert text_of_each(paths) == {
        "n": False,
        "when": True,
        "meta": False,
        "messages": False,
        "conversations": False,
    }
    below = ["meta.title", "meta.at", "messages[].role", "messages[].content"]
    assert [name for name in below if paths.has_text(name)] == below


def test_a_column_of_the_last_row_is_known(tmp_path: Path) -> None:
    rows = ['{"body": "x"}'] * 100_000
    assert text_of_each(paths_of(tmp_path, *rows, '{"title": "x"}')) == {"body": True, "title": True}


def test_the_columns_of_csv_and_parquet_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('\ufeffid,"te\nxt"\n1,a\n')
    sources = find_sources(str(tmp_path / "a.csv"))
    assert text_of_each(paths_of_fields(fields_of(sources))) == {"id": True, "te\nxt": True}
    table = pa.table({"n": [1], "d": pa.array(["x"]).dictionary_encode(), "s": ["x"]})
    pq.write_table(table, tmp_path / "a.parquet")
    sources = find_sources(str(tmp_path / "a.parquet"))
    assert text_of_each(paths_of_fields(fields_of(sources))) == {"n": False, "d": True, "s": True}


def test_the_columns_of_all_shards_are_known(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"n": [1], "body": ["x"]}), tmp_path / "1.parquet")
    sources = find_sources(str(tmp_path))
    assert text_of_each(paths_of_fields(fields_of(sources))) == {"n": False, "body": True}
    assert (
        params_of(Request(str(tmp_path), "out.jsonl", "body", no_semantic=True), sources).ingest.text_column == "body"
    )


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([{"text": "a", **CHAT, **ORDER}], ["text"]),
        ([{"text": 5, "body": "b"}], ["body"]),
        ([{"id": "7", **CHAT, **ORDER}], ["messages[].content"]),
        ([CHAT_OF_PARTS], ["messages[].content"]),
        ([SHARED], ["conversations[].value"]),
        ([{**ORDER, "id": "7"}], ["instruction", "input", "output"]),
        ([{**ORDER, "input": None}, ORDER], ["instruction", "input", "output"]),
        ([{**ORDER, "input": None}], ["instruction", "output"]),
        ([{"instruction": "a", "output": "b"}], ["instruction", "output"]),
        ([{**ORDER, "input": {"a": "b"}}], []),
        ([{"id": "7", "prompt": "a", "completion": "b"}], ["prompt", "completion"]),
        ([{"id": 7, "prompt": "a"}], ["prompt"]),
        ([{"id": 7, "body": "a"}], ["body"]),
        ([{"title": "a", "body": "b"}], []),
        ([{"messages": ["a"]}], []),
        ([{"id": 7}], []),
    ],
)
def test_the_columns_to_compare_are_found(tmp_path: Path, rows: list[Any], columns: list[str]) -> None:
    assert chosen(tmp_path, *rows) == columns


@pytest.mark.parametrize(
    ("late", "columns"), [({"text": "x"}, ["text"]), ({"title": "x"}, []), (CHAT, [CHAT_PATH := "messages[].content"])]
)
def test_a_late_row_counts_for_what_is_found(tmp_path: Path, late: Any, columns: list[str]) -> None:
    assert chosen(tmp_path, *[{"body": "b"}] * 50_000, late) == columns


def test_what_is_wanted_comes_first_among_the_columns_there_are(tmp_path: Path) -> None:
    paths = paths_of(tmp_path, json.dumps({"id": "1", "meta": {"title": "x", "n": 1}, **CHAT}))
    assert paths.nearest_first(["content"])[0] == "messages[].content"
    assert paths.nearest_first(["mesage[].content"])[0] == "messages[].content"
    assert paths.nearest_first(["title"]) == [
        "meta.title",
        "id",
        "meta",
        "messages",
        "messages[].role",
        "messages[].content",
    ]


def test_names_with_marks_are_listed_as_they_can_be_given(tmp_path: Path) -> None:
    paths = paths_of(tmp_path, json.dumps({"a.b": "x", "c": {"d.e": "x", "f[]": ["x"]}}))
    assert paths.nearest_first() == ["a.b", "c", r"c.d\.e", r"c.f\[\][]"]
    assert read(tmp_path / "a.jsonl", params(("a.b", r"c.d\.e", r"c.f\[\][]"))).counts.rejected == 0


def test_columns_that_are_data_do_not_fill_the_memory(tmp_path: Path) -> None:
    rows = [json.dumps({"body": "b", "by_id": {f"{at}-{more}": "x" for more in range(50)}}) for at in range(100)]
    paths = paths_of(tmp_path, *rows)
    assert text_columns(paths, "text") == ["body"]
    assert len(paths.nearest_first()) <= 1_001


@pytest.mark.parametrize("name", ["content", "messages[].contents"])
def test_a_wrong_name_is_an_error_with_the_nearest_there_is_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1, **CHAT}))
    pq.write_table(pa.Table.from_pylist([{"id": 1, **CHAT}]), tmp_path / "a.parquet")
    for file in ("a.jsonl", "a.parquet"):
        says = rf"column '{re.escape(name)}'; .*: messages\[\]\.content"
        with pytest.raises(DataFormatError, match=says) as stopped:
            read(tmp_path / file, params(name))
        assert stopped.value.exit_code == 64


def test_a_column_that_holds_texts_further_in_is_an_error_that_names_them(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([CHAT]), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text(json.dumps(CHAT))
    for file in ("a.parquet", "a.jsonl"):
        says = r" text\. Name a column of text with .*: messages\[\]\.role, messages\[\]\.content\."
        with pytest.raises(DataFormatError, match=says):
            read(tmp_path / file, params("messages"))
